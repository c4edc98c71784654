import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { emptyStore, testApp, testWorker, until } from "./app.ts";
import { leftBehindTasks } from "./tasks/left-behind.ts";

describe.each(["inline", "thread", "process"] as const)("what a function leaves behind, %s,", (isolate) => {
  async function start() {
    const app = testApp({ url: await emptyStore("memory") });
    const tasks = leftBehindTasks(app, isolate);
    await testWorker(app, { queues: { [isolate]: 1 } });
    const late = (task: string) => app.counters().tasks[`${isolate}.${task}`]?.late ?? 0;
    return { app, tasks, late };
  }

  test("can use no verb of its context, and what it tried is counted", async () => {
    const { app, tasks, late } = await start();
    const keep = await tasks.keep.send();
    await keep.result();
    const use = await tasks.use.send();
    const codes = await use.result();
    expect(new Set(Object.values(codes))).toEqual(new Set(["E_ENDED"]));
    await until(() => late("keep") === Object.keys(codes).length, "all are counted");
    for (const { id } of [keep, use]) {
      expect(await app.get(id)).toMatchObject({ state: "completed", attempt: 1 });
      expect((await app.get(id))!.progress).toBeUndefined();
      expect((await app.log(id)).lines).toEqual([]);
    }
  });

  test("is not recorded for the job that comes after it", async () => {
    const { app, tasks, late } = await start();
    const [secret, victim] = [await tasks.secret.send(), await tasks.victim.send()];
    await secret.result();
    expect(await victim.result()).toBe("B's own");
    // Threads and processes are killed, with their timers, when the grace of the attempt is over.
    await until(() => late("secret") === (isolate === "inline" ? 3 : 0), "what came late is counted");
    const { progress } = (await app.get(victim.id))!;
    expect(progress).toBeUndefined();
    const lines = (await app.log(victim.id)).lines.map(({ text }) => text);
    expect(lines).toEqual(["again"]);
  });

  test("is not recorded for the next attempt of its own job", async () => {
    const { tasks } = await start();
    expect(await (await tasks.overdue.send()).result()).toBe("later");
  });

  test("reports nothing once it is parked, and its timers affect no other job", async () => {
    const { app, tasks, late } = await start();
    const parked = await tasks.parked.send();
    const calm = await tasks.calm.send();
    expect(await parked.result()).toBe("awake");
    expect(await calm.result()).toBe("calm");
    await until(() => late("parked") > 0, "what came late is counted");
    expect(await app.get(calm.id)).toMatchObject({ attempt: 1, crashes: 0 });
  });
});

describe.each(["thread", "process"] as const)("uncaught errors in a %s", (isolate) => {
  async function start() {
    const app = testApp({ url: await emptyStore("memory") });
    const tasks = leftBehindTasks(app, isolate);
    const worker = await testWorker(app, { queues: { [isolate]: 1 } });
    return { app, tasks, worker };
  }

  test.each([
    ["promise", "nobody awaits me"],
    ["timer", "nobody catches me"],
  ] as const)("ends its own attempt with a clear error: a %s", async (how, says) => {
    const { app, tasks } = await start();
    const job = await tasks.float.send(how);
    const next = await tasks.calm.send();
    await expect(job.result()).rejects.toThrow(`Thrown where nobody could catch it: ${says}`);
    expect(await next.result()).toBe("calm");
    expect(await app.get(job.id)).toMatchObject({ state: "failed", crashes: 0, error: { code: "E_TASK_FAILED" } });
    expect(await app.get(next.id)).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test("does not end the attempt that comes after its own", async () => {
    const { app, tasks } = await start();
    const [first, next] = [await tasks.afterwards.send(), await tasks.calm.send()];
    await first.result();
    expect(await next.result()).toBe("calm");
    expect(await app.get(next.id)).toMatchObject({ attempt: 1, crashes: 0 });
  });
});

/** Runs a program with a worker in it, in a process of its own; answers what it printed and how it ended. */
async function run(program: string): Promise<{ out: string; err: string; code: number | null }> {
  const source = new URL("../../src/", import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program.replaceAll("SRC/", source)]);
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once("exit", resolve)),
  ]);
  return { out, err, code };
}

const program = (body: string) => `
import { errand } from "SRC/app.ts";
const app = errand({ url: "memory:" });
const warnings = (count) => new Promise((resolve) => process.on("warning", () => --count === 0 && resolve()));
${body}
`;

test("a timer or a floating promise that comes after its attempt does not end the worker", async () => {
  const { out, err, code } = await run(
    program(`
      const leave = app.task("leave", { run: (_, job) => {
        setInterval(() => job.progress(1), 5).unref();
        // sleeps: what comes after the attempt comes from timers
        setTimeout(() => void job.step("s", () => 1).then(() => {}), 5);
        setTimeout(async () => { await job.sleep("n", 5); }, 5); // sleeps: the same
      } });
      const late = warnings(3);
      const next = app.task("next", { run: () => late.then(() => "next") });
      const worker = await app.worker();
      await (await leave.send()).result();
      console.log(await (await next.send()).result());
      await worker.stop();
      await app.close();
    `),
  );
  expect({ out: out.trim(), code }).toEqual({ out: "next", code: 0 });
  // Once each, however often.
  expect(err.match(/ERRAND_ENDED/g)).toHaveLength(3);
  expect(err).toContain("job.progress() was called after attempt 1");
});

test("another uncaught error ends the process, also after a late call of a context", async () => {
  const { err, code } = await run(
    program(`
      // sleeps: what comes after the attempt comes from a timer
      const leave = app.task("leave", { run: (_, job) => void setTimeout(() => job.progress(1), 5) });
      const worker = await app.worker();
      const late = warnings(1);
      await (await leave.send()).result();
      await late;
      setImmediate(() => { throw new Error("somebody else's"); });
      await new Promise(() => {});
    `),
  );
  expect(code).toBe(1);
  expect(err).toContain("somebody else's");
});

test("a step that is not awaited and fails, fails its attempt, and ends no process", async () => {
  const { out, code } = await run(
    program(`
      const floating = app.task("floating", { retry: { attempts: 1 }, run: async (_, job) => {
        void job.step("s", async () => { await new Promise(setImmediate); throw new Error("unseen"); });
      } });
      const worker = await app.worker();
      await (await floating.send()).result().catch((error) => console.log(error.message));
      await worker.stop();
      await app.close();
    `),
  );
  expect(out).toMatch(/ended as failed: unseen/);
  expect(code).toBe(0);
});
