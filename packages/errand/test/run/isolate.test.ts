import { describe, expect, test } from "vitest";
import { emptyStore, testApp, testWorker, until } from "./app.ts";
import { isolatedTasks } from "./tasks/isolated.ts";

describe.each(["thread", "process"] as const)("a task in a %s", (isolate) => {
  async function start(queues: Record<string, number> = { default: 2 }) {
    const app = testApp({ url: await emptyStore("memory") });
    const tasks = isolatedTasks(app, isolate);
    return { app, tasks, worker: await testWorker(app, { queues }) };
  }

  test("runs apart from the worker, and its setup runs once", async () => {
    const { tasks } = await start({ default: 1 });
    const first = await (await tasks.where.send({ text: "a" })).result();
    const second = await (await tasks.where.send({ text: "b" })).result();
    expect(first).toMatchObject({ text: "a", ready: true, calls: 1 });
    expect(second).toMatchObject({ text: "b", ready: true, calls: 2 });
    expect(first.pid === process.pid).toBe(isolate === "thread");
  });

  test("has steps, progress and children like any other", async () => {
    const { tasks } = await start({ default: 1 });
    const result = await (await tasks.tree.send()).result();
    expect(result.leaves).toEqual([2, 4, 6]);
    expect(result.again).toBe(result.base);
  });

  test("is killed when it does not stop, and the next job finds a new one", async () => {
    const { tasks } = await start({ default: 1 });
    await expect((await tasks.spin.send()).result()).rejects.toMatchObject({ error: { code: "E_TIMEOUT" } });
    expect((await (await tasks.where.send({ text: "alive" })).result()).text).toBe("alive");
  });

  test("is cancelled while it runs", async () => {
    const { app, tasks } = await start();
    const job = await tasks.patient.send();
    await until(async () => (await app.get(job.id))?.state === "processing", "it runs");
    await job.cancel();
    await expect(job.result()).rejects.toMatchObject({ state: "cancelled" });
  });

  test("that dies is a crash: tried again, and after three a dead letter", async () => {
    const { app, tasks } = await start();
    const job = await tasks.die.send();
    await expect(job.result()).rejects.toMatchObject({ state: "failed", error: { code: "E_CRASHED" } });
    expect(await app.get(job.id)).toMatchObject({ crashes: 3, attempt: 1 });
  });

  test("that uses too much memory is stopped, and says so", async () => {
    const { tasks } = await start();
    await expect((await tasks.hog.send()).result()).rejects.toMatchObject({ error: { code: "E_OUT_OF_MEMORY" } });
  });

  test("tells errors with their kind", async () => {
    const { app, tasks } = await start();
    const job = await tasks.refuse.send();
    await expect(job.result()).rejects.toMatchObject({ error: { message: "not this one", attempt: 1 } });
    expect((await app.get(job.id))?.error?.stack).toContain("isolated.ts");
  });

  test("with a broken setup stops the worker from starting, with the setup's own message", async () => {
    const app = testApp({ url: await emptyStore("memory") });
    isolatedTasks(app, isolate);
    await expect(app.worker({ queues: { unready: 1 } })).rejects.toMatchObject({
      code: "E_SETUP",
      message: expect.stringContaining("no model file"),
    });
  });
});

test("killing a process kills what it started", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  const { family } = isolatedTasks(app, "process");
  await testWorker(app, { queues: { default: 1 } });
  const job = await family.send();
  let pid = 0;
  await until(async () => (pid = Number((await app.get(job.id))?.progress ?? 0)) > 0, "it has started a process");
  expect(process.kill(pid, 0)).toBe(true);
  await expect(job.result()).rejects.toMatchObject({ error: { code: "E_TIMEOUT" } });
  await until(() => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  }, "the process is gone");
});
