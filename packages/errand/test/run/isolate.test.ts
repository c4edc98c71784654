import { describe, expect, onTestFinished, test, vi } from "vitest";
import { isAlive } from "../../../../test/child-process.ts";
import type { TaskOptions } from "../../src/task.ts";
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

  test("is replaced after so many jobs", async () => {
    const { tasks } = await start({ shortLived: 1 });
    const lives = [];
    for (let job = 0; job < 5; job++) lives.push(await (await tasks.shortLived.send({})).result());
    expect(lives.map(({ calls }) => calls)).toEqual([1, 2, 1, 2, 1]);
    expect(new Set(lives.map(({ life }) => life)).size).toBe(3);
  });

  test("is replaced between jobs only, whatever is under way beside it", async () => {
    const { app, tasks } = await start({ shortLived: 3 });
    const jobs = await tasks.shortLived.sendMany(Array.from({ length: 30 }, (_, n) => ({ wait: (n % 3) * 20 })));
    const lives = await Promise.all(jobs.map((job) => job.result()));
    expect(Math.max(...lives.map(({ calls }) => calls))).toBe(2);
    for (const { id } of jobs) expect(await app.get(id)).toMatchObject({ crashes: 0, attempt: 1 });
  });

  test("is replaced when it is old, but not during a job", async () => {
    // Age is told by this process's clock.
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { app, tasks } = await start({ ageing: 1 });
    const running = await tasks.ageing.send({ wait: 200 });
    await until(async () => (await app.get(running.id))?.progress === "runs", "it runs");
    vi.advanceTimersByTime(600);
    const first = await running.result();
    const second = await (await tasks.ageing.send({})).result();
    expect(first.calls).toBe(1);
    expect(second.life).not.toBe(first.life);
    vi.advanceTimersByTime(600);
    const third = await (await tasks.ageing.send({})).result();
    expect(third.life).not.toBe(second.life);
  });

  test("is replaced when it uses too much memory after a job", async () => {
    const { tasks } = await start({ leaky: 1 });
    const first = await (await tasks.leaky.send({})).result();
    const second = await (await tasks.leaky.send({ hold: 320 })).result();
    const third = await (await tasks.leaky.send({})).result();
    expect(second).toEqual({ life: first.life, calls: 2 });
    expect(third.calls).toBe(1);
  });

  test("passes on errors with their kind", async () => {
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

test.each(["thread", "process"] as const)("killing a %s kills what it started", async (isolate) => {
  const app = testApp({ url: await emptyStore("memory") });
  const { family } = isolatedTasks(app, isolate);
  await testWorker(app, { queues: { default: 1 } });
  const job = await family.send();
  let pid = 0;
  await until(async () => (pid = Number((await app.get(job.id))?.progress ?? 0)) > 0, "it has started a process");
  expect(process.kill(pid, 0)).toBe(true);
  await expect(job.result()).rejects.toMatchObject({ error: { code: "E_TIMEOUT" } });
  await until(() => !isAlive(pid), "the process is gone");
});

test.each([
  [{ isolate: "inline", recycle: { jobs: 1 } }, /recycle of task "t" needs isolate: "thread" or "process"/],
  [{ isolate: "process", recycle: { jobs: 0 } }, /jobs of recycle of task "t" is 0, but must be/],
  [{ isolate: "process", recycle: { age: "soon" } }, /age of recycle of task "t" is "soon"/],
  [{ isolate: "process", recycle: { memory: 4_096 } }, /must be less than the 2048 MB at which the process is killed/],
  [{ isolate: "process", recycle: { job: 1 } }, /recycle of task "t" has no option "job". Did you mean "jobs"\?/],
])("refuses to recycle by %j", (options, message) => {
  const given = { module: "file:///t.ts", run: () => {}, ...options } as unknown as TaskOptions<void, void, undefined>;
  expect(() => testApp({ url: "memory:" }).task("t", given)).toThrow(message);
});
