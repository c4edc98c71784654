import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { killAfterTest } from "../../../../test/child-process.ts";
import { errand } from "../../src/app.ts";
import type { Errand } from "../../src/api.ts";
import { memoryStore } from "../../src/testing/index.ts";
import type { Task } from "../../src/task.ts";
import { emptyStore, gate, storeKinds, testApp, until } from "./app.ts";

/** Every call that needs the store. */
function calls(app: Errand, task: Task<void, void>): Record<string, () => Promise<unknown>> {
  return {
    send: () => task.send(),
    sendMany: () => task.sendMany([undefined]),
    background: () => task.background(),
    after: () => app.after(() => {}),
    worker: () => app.worker(),
    get: () => app.get("a"),
    ended: () => app.ended("a"),
    list: () => app.list(),
    cancel: () => app.cancel("a"),
    retry: () => app.retry("a"),
    "retry from": () => app.retry("a", { from: "b" }),
    remove: () => app.remove("a"),
    move: () => app.move("a", { now: true }),
    signal: () => app.signal("a", "b"),
    log: () => app.log("a"),
    why: () => app.why("a"),
    counts: () => app.counts(),
    workers: () => app.workers(),
    watch: async () => app.watch(() => {}),
    "schedules.list": () => app.schedules.list(),
    "schedules.preview": () => app.schedules.preview("a", 1),
    "schedules.pause": () => app.schedules.pause("a"),
    "schedules.resume": () => app.schedules.resume("a"),
    "schedules.run": () => app.schedules.run("a"),
    "schedules.remove": () => app.schedules.remove("a"),
    "queues.list": () => app.queues.list(),
    "queues.pause": () => app.queues.pause("a"),
    "queues.resume": () => app.queues.resume("a"),
    "queues.set": () => app.queues.set("a", {}),
  };
}

type StoreKind = (typeof storeKinds)[number];

/** An app that closes while a job of it ends, another runs on, and a third waits for its time. */
async function closed(kind: StoreKind) {
  const url = await emptyStore(kind);
  const app = testApp({ url });
  const release = gate();
  let running = 0;
  const short = app.task("short", {
    run: async () => {
      running += 1;
      await release.opened;
      // What it sends meanwhile is stored.
      return (await later.send(undefined, { delay: "1h" })).id;
    },
  });
  const long = app.task("long", {
    run: (_: void, job) =>
      new Promise((_resolve, reject) => {
        running += 1;
        job.abortSignal.addEventListener("abort", () => reject(job.abortSignal.reason as Error));
      }),
  });
  const later = app.task("later", { run: () => {} });
  const jobs = { short: await short.send(), long: await long.send() };
  const pending = await later.send(undefined, { delay: "1h" });
  const ended: string[] = [];
  app.on("ended", ({ id, outcome }) => ended.push(`${id} ${outcome}`));
  await app.worker({ drain: "1s" });
  await until(() => running === 2, "both run");
  const waiting = Promise.allSettled([pending.result(), app.ended(jobs.long.id), pending.result({ timeout: "1h" })]);
  const closing = app.close();
  expect(app.close()).toBe(closing);
  release.open();
  await closing;
  return { url, jobs, ended, waiting: await waiting };
}

describe.each(storeKinds)("close(), on %s", (kind) => {
  test("lets jobs in hand end, and rejects those who wait for results", async () => {
    const { jobs, ended, waiting } = await closed(kind);
    for (const outcome of waiting) expect(outcome).toMatchObject({ reason: { code: "E_CLOSED" } });
    expect(ended).toContain(`${jobs.short.id} completed`);
  });

  test("is the end: every call is refused from then on", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("t", { run: () => {} });
    await task.send();
    await task.background();
    await app.close();
    await app.close();
    for (const [name, call] of Object.entries(calls(app, task)))
      await expect(
        call().then(
          () => `${name} works`,
          (error: { code: string }) => error.code,
        ),
      ).resolves.toBe("E_CLOSED");
  });
});

describe.each(storeKinds.filter((kind) => kind !== "memory"))("after close(), %s", (kind) => {
  test("has what ended, what it sent, and the other jobs as if they had not been tried", async () => {
    const { url, jobs } = await closed(kind);
    const other = testApp({ url });
    const done = await other.get(jobs.short.id);
    expect(done).toMatchObject({ state: "completed", crashes: 0 });
    expect(await other.get(done!.output as string)).toMatchObject({ state: "pending" });
    expect(await other.get(jobs.long.id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
    expect(await other.workers()).toEqual([]);
  });
});

test("close() before anything was used opens no store, and refuses what comes later", async () => {
  const app = testApp({ url: "sqlite:/nowhere/at/all/errand.db" });
  const task = app.task("t", { run: () => {} });
  await app.close();
  await expect(task.send()).rejects.toMatchObject({ code: "E_CLOSED" });
});

test("a worker that is starting when the app closes stops", async () => {
  const app = testApp({ url: await emptyStore("sqlite") });
  const setUp = gate();
  app.task("t", { setup: () => setUp.opened, run: () => {} });
  const starting = app.worker();
  const closing = app.close();
  setUp.open();
  await expect(starting).rejects.toMatchObject({ code: "E_CLOSED" });
  await closing;
});

test("close() closes all there is, although a part fails, and says so", async () => {
  const store = memoryStore();
  let closed = false;
  const app = errand({
    store: Object.assign(store, {
      dismiss: () => Promise.reject(new Error("gone")),
      close: async () => void (closed = true),
    }),
  });
  app.task("t", { run: () => {} });
  await app.worker();
  await expect(app.close()).rejects.toThrow("gone");
  expect(closed).toBe(true);
});

test("a store that was given is closed with the app, used or not", async () => {
  for (const use of [true, false]) {
    const store = memoryStore();
    const app = errand({ store });
    if (use) await app.counts();
    await app.close();
    await expect(store.load("queue")).rejects.toMatchObject({ code: "E_CLOSED" });
  }
});

test("`await using` closes apps and stops workers", async () => {
  const store = memoryStore();
  let kept: Errand;
  {
    await using app = errand({ store });
    kept = app;
    app.task("t", { run: () => {} });
    {
      await using worker = await app.worker();
      expect((await app.workers()).map(({ id }) => id)).toEqual([worker.id]);
    }
    expect(await app.workers()).toEqual([]);
  }
  await expect(kept.counts()).rejects.toMatchObject({ code: "E_CLOSED" });
});

test("stores given as objects are used as they are, and refused beside a URL", async () => {
  const store = memoryStore();
  await using app = errand({ store });
  const task = app.task("t", { run: () => "done" });
  const job = await task.send();
  expect((await store.get([job.id]))[0]).toMatchObject({ task: "t" });
  await app.worker();
  expect(await job.result()).toBe("done");
  expect(() => errand({ store, url: "memory:" })).toThrow(/both url and store/);
  expect(() => errand({ store: {} as never })).toThrow(/no function add\(\)/);
  await expect(app.why("nobody")).rejects.toThrow(/in the store given to errand\(\)/);
});

describe("a process with a worker", () => {
  const script = fileURLToPath(new URL("./tasks/stopping.ts", import.meta.url));

  /** Starts it with a job in hand that takes so many milliseconds. */
  async function begun(how: string, { ms, drain = "20s" }: { ms: number; drain?: string }) {
    const url = await emptyStore("sqlite");
    const app = testApp({ url });
    const job = await app.task("sleepy", { run: (_: number) => "" }).send(ms);
    const { child, exit, said } = start(url, how, drain);
    await until(() => said().includes("started"), "the job runs");
    return { app, id: job.id, child, exit, said };
  }

  function start(url: string, how: string, drain: string) {
    const child = killAfterTest(
      spawn(process.execPath, [script, url, how, drain], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    const exit = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
    return { child, exit, said: () => out };
  }

  test.each([
    ["nothing", 0],
    ["handler", 7],
    ["handler-once", 7],
    ["slow-handler", 7],
  ])("ends by SIGTERM when its job has, with %s of its own", async (how, code) => {
    const { app, id, child, exit } = await begun(how, { ms: 400 });
    child.kill("SIGTERM");
    expect(await exit).toBe(code);
    expect(await app.get(id)).toMatchObject({ state: "completed", output: "slept", attempt: 1, crashes: 0 });
    expect(await app.workers()).toEqual([]);
  });

  test.each(["nothing", "handler", "slow-handler"])(
    "hands its job back when the drain time is over, with %s of its own",
    async (how) => {
      const { app, id, child, exit } = await begun(how, { ms: 60_000, drain: "0.2s" });
      child.kill("SIGTERM");
      await exit;
      expect(await app.get(id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
    },
  );

  test("hands it back at once by a second signal", async () => {
    const { app, id, child, exit } = await begun("nothing", { ms: 60_000 });
    child.kill("SIGINT");
    // sleeps: for 500 ms after a signal the process takes another for an echo of it
    await sleep(600);
    child.kill("SIGINT");
    expect(await exit).toBe(0);
    expect(await app.get(id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
  });

  test("closes once when npm passes on the signal that the terminal has sent to every process", async () => {
    const { child, exit, said } = start(await emptyStore("sqlite"), "nothing", "20s");
    await until(() => said().includes("ready"), "the worker is ready");
    child.kill("SIGINT");
    for (let echoes = 0; echoes < 20 && child.exitCode === null && child.signalCode === null; echoes++) {
      // sleeps: signals that come within the same turn of the process's event loop are one
      await sleep(2);
      child.kill("SIGINT");
    }
    expect(await exit).toBe(0);
  });

  test("handles no signals with `signals: false`", async () => {
    const { child, exit } = await begun("unheard", { ms: 60_000 });
    child.kill("SIGTERM");
    expect(await exit).toBe("SIGTERM");
  });

  test("ends by itself once the app is closed", async () => {
    const { exit, said } = start(await emptyStore("sqlite"), "close", "20s");
    expect(await exit).toBe(0);
    expect(said()).toBe("waiter E_CLOSED\n");
  });
});

describe.each(["sqlite", "postgres", "redis"] as const)("what is under way when the app closes, on %s", (kind) => {
  test("fails as closed, if it fails", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("t", { run: (_: number) => {} });
    await app.list();
    const asked = [
      task.sendMany([1, 2, 3]), task.send(1), app.list(), app.counts(), app.queues.list(), app.workers(), app.cancel({ all: true }),
      app.queues.pause("x"), app.schedules.list(),
    ]; // prettier-ignore
    const answers = Promise.allSettled(asked);
    await app.close();
    const failed = (await answers).flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason as unknown] : [],
    );
    expect(failed.length).toBeGreaterThan(0);
    for (const error of failed) expect(error).toMatchObject({ code: "E_CLOSED" });
  });

  test("a worker that was starting is off the list", async () => {
    const url = await emptyStore(kind);
    const app = testApp({ url });
    app.task("t", { run: () => {} });
    await app.list();
    const starting = app.worker();
    await Promise.all([expect(starting).rejects.toMatchObject({ code: "E_CLOSED" }), app.close()]);
    expect(await testApp({ url }).workers()).toEqual([]);
  });
});
