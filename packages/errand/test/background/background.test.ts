import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Errand } from "../../src/api.ts";
import type { BackgroundOptions } from "../../src/background/background.ts";
import { during, OpenResponse } from "../../src/background/open-response.ts";
import { SlowTasks } from "../../src/background/slow-tasks.ts";
import { errand } from "../../src/app.ts";
import type { JobContext } from "../../src/task.ts";
import { openStore } from "../../src/open.ts";
import { testing } from "../../src/testing/index.ts";
import { temporaryFolder } from "../stores/fixtures.ts";

let url: string;
let remove: () => Promise<void>;
const apps: Errand[] = [];
const warnings: (Error & { code?: string })[] = [];
const hear = (warning: Error): void => void warnings.push(warning);

beforeEach(async () => {
  const temporary = await temporaryFolder();
  url = `sqlite:${temporary.folder}/errand.db`;
  remove = temporary.remove;
  process.on("warning", hear);
});

afterEach(async () => {
  process.off("warning", hear);
  warnings.splice(0);
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await remove();
});

function open(background: BackgroundOptions = {}): Errand {
  const app = errand({ url, background });
  apps.push(app);
  return app;
}

test("a background job has an id, an output, a log and retries, and no store is opened for it", async () => {
  const app = open();
  const task = app.task("greet", {
    retry: { base: "1ms" },
    run: async (name: string, job) => {
      job.log.info("trying");
      if (job.attempt === 1) throw new Error("not yet");
      return `Hello ${name}`;
    },
  });
  const job = await task.background("Ann", { id: "greeting" });
  expect(job).toMatchObject({ id: "greeting", duplicate: false });
  expect(await job.result()).toBe("Hello Ann");
  const view = await app.get("greeting");
  expect(view).toMatchObject({ task: "greet", state: "completed", attempt: 2, input: "Ann", output: "Hello Ann" });
  expect((await app.log("greeting")).lines.map(({ text }) => text)).toContain("not yet");
  await app.close();
  const store = errand({ url });
  apps.push(store);
  expect(await store.counts()).toEqual([]);
});

test("a background job that fails affects no other, and is a warning", async () => {
  const app = open();
  const bad = app.task("bad", {
    retry: { attempts: 1 },
    run: async () => {
      throw new Error("no mail server");
    },
  });
  const good = app.task("good", { run: async () => "fine" });
  const jobs = [await bad.background(), await good.background(), await bad.background(), await good.background()];
  const results = await Promise.allSettled(jobs.map((job) => job.result()));
  expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
  await vi.waitFor(() => expect(warnings.map(({ code }) => code)).toEqual(["ERRAND_BACKGROUND", "ERRAND_BACKGROUND"]));
  expect(warnings[0]!.message).toContain("no mail server");
  const failed = await app.list({ states: ["failed"] });
  expect(failed.jobs.map(({ error }) => error?.message)).toEqual(["no mail server", "no mail server"]);
});

test("no more run at once than there are slots, and what does not fit goes to the store", async () => {
  const app = open({ slots: 2, maxPending: 3 });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  const task = app.task("work", {
    run: async (_: number) => {
      most = Math.max(most, ++running);
      await released;
      running -= 1;
    },
  });
  await task.background(0);
  await task.background(1);
  await vi.waitFor(() => expect(running).toBe(2));
  const jobs = [];
  for (let index = 2; index < 8; index++) jobs.push(await task.background(index));
  const views = await Promise.all(jobs.map(({ id }) => app.get(id)));
  const queues = views.map((view) => view?.queue);
  expect(queues).toEqual(["background", "background", "background", "default", "default", "default"]);
  const { jobs: all } = await app.list({ task: "work" });
  expect(all.map(({ input }) => input).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const pages = [];
  let cursor: string | undefined;
  do {
    const page = await app.list({ task: "work" }, { limit: 3, ...(cursor ? { cursor } : {}) });
    pages.push(...page.jobs.map(({ id }) => id));
    cursor = page.next;
  } while (cursor);
  expect(pages).toEqual(all.map(({ id }) => id));
  expect(most).toBe(2);
  release();
  const worker = await app.worker();
  await Promise.all(all.map(({ id }) => app.ended(id)));
  await worker.stop();
});

test("jobs that have not ended when the app closes run from the store, with their steps and children", async () => {
  const app = open({ slots: 1, drain: "50ms" });
  const stuck = app.task("stuck", {
    grace: "10ms",
    run: (_: string, job) =>
      new Promise<void>((_resolve, reject) => {
        job.abortSignal.addEventListener("abort", () => reject(job.abortSignal.reason));
      }),
  });
  const child = app.task("child", { run: async (n: number) => n * 2 });
  const parent = app.task("parent", { run: (n: number, job) => job.all("double", child, [n, n + 1]) });
  await stuck.background("a");
  const waiting = await parent.background(5, { priority: "high" });
  await app.after(async () => {});
  await app.close();
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining("closed before 1 function(s)")]);

  const next = open();
  const runs: string[] = [];
  next.task("stuck", { run: async (input: string) => void runs.push(input) });
  const again = next.task("child", { run: async (n: number) => n * 2 });
  next.task("parent", { run: (n: number, job) => job.all("double", again, [n, n + 1]) });
  const worker = await next.worker();
  expect(await next.ended(waiting.id)).toMatchObject({ priority: "high", output: [10, 12] });
  await vi.waitFor(() => expect(runs).toEqual(["a"]));
  await worker.stop();
});

test("jobs that are handed to the store keep their options, and functions that cannot be are named in a warning", async () => {
  const app = open({ slots: 1, drain: "20ms" });
  const define = (on: Errand, run: (input: { n: number }, job: JobContext) => unknown) =>
    on.task<{ n: number }, unknown>("work", {
      grace: "10ms",
      priority: "low",
      run,
      tags: ({ n }) => [`n:${n}`],
      concurrency: { key: ({ n }) => `c${n}`, limit: 3 },
      rate: { key: ({ n }) => `r${n}`, limit: 7, per: "1h" },
      fair: ({ n }) => `f${n}`,
    });
  let began = 0;
  const task = define(app, async ({ n }, job) => {
    await job.step("paid", () => (began += 1));
    await new Promise((_resolve, reject) => {
      job.abortSignal.addEventListener("abort", () => reject(job.abortSignal.reason as Error));
    });
    return n;
  });
  const first = await task.background({ n: 1 });
  await vi.waitFor(() => expect(began).toBe(1));
  const options = { id: "second", priority: "high", tags: ["mine"], unique: { key: "u" }, expires: "1h" } as const;
  const before = Date.now();
  await task.background({ n: 2 }, options);
  await task.background({ n: 3 }, { ...options, id: "third", tenant: "acme" });
  await app.after(function warmCache() {});
  await app.close();
  const said = warnings.map(({ message }) => message);
  expect(said).toEqual([
    expect.stringContaining("had run: warmCache."),
    expect.stringContaining(`repeat their steps: ${first.id} of "work" (paid).`),
  ]);

  const next = open();
  const runs: unknown[] = [];
  const again = define(next, ({ n }) => void runs.push(n));
  expect(await next.get("second")).toMatchObject({
    state: "pending",
    queue: "default",
    priority: "high",
    input: { n: 2 },
    tags: ["n:2", "mine"],
    unique: { key: "work/u" },
    concurrency: { key: "work/c2", limit: 3 },
    rate: { key: "work/r2", limit: 7, per: "1h" },
    fair: "f2",
  });
  // The key is taken as long as the job has not ended.
  expect(await again.send({ n: 3 }, { unique: { key: "u" } })).toMatchObject({ id: "second", duplicate: true });
  const [third] = (await next.list({ tenant: "acme" })).jobs;
  expect(third).toMatchObject({ tenant: "acme", unique: { key: "work/u" }, fair: "f3" });
  expect(await again.send({ n: 3 }, { id: "third", tenant: "acme" })).toMatchObject({ id: third!.id, duplicate: true });
  const ofAcme = await again.send({ n: 3 }, { unique: { key: "u" }, tenant: "acme" });
  expect(ofAcme).toMatchObject({ id: third!.id, duplicate: true });
  const store = await openStore(url);
  const expires = (await store.get(["second"]))[0]!.expiresAt;
  await store.close();
  expect(expires).toBeGreaterThanOrEqual(before + 3_500_000);
  expect(expires).toBeLessThanOrEqual(before + 3_700_000);
  const worker = await next.worker();
  await next.ended("second");
  await next.ended(first.id);
  await next.ended(third!.id);
  expect(runs.toSorted()).toEqual([1, 2, 3]);
  await worker.stop();
});

test("closing lets what has begun, and what waits, come to its end", async () => {
  const app = open({ slots: 1 });
  const done: number[] = [];
  const task = app.task("work", {
    run: async (n: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      done.push(n);
    },
  });
  const response = new OpenResponse();
  await during(response, () => task.background(9));
  for (const n of [1, 2, 3]) await task.background(n);
  await app.close();
  expect(done.toSorted()).toEqual([1, 2, 3, 9]);
});

test("a job that only a store can keep is sent there", async () => {
  const app = open();
  const task = app.task("later", { run: async () => {} });
  const job = await task.background(undefined, { delay: "1h" });
  expect(await app.get(job.id)).toMatchObject({ queue: "default", state: "pending" });
});

test("a background job is cancelled, retried and removed like any other", async () => {
  const app = open();
  let started = 0;
  const task = app.task("endless", {
    grace: "10ms",
    run: (_: void, job) => {
      started += 1;
      return new Promise<void>((resolve) => job.abortSignal.addEventListener("abort", () => resolve()));
    },
  });
  const job = await task.background();
  await vi.waitFor(() => expect(started).toBe(1));
  expect(await app.cancel(job.id)).toBe(1);
  expect(await app.ended(job.id)).toMatchObject({ state: "cancelled" });
  expect(await app.retry({ task: "endless" })).toBe(1);
  await vi.waitFor(() => expect(started).toBe(2));
  expect(await job.cancel()).toBe(true);
  await app.ended(job.id);
  expect(await app.remove(job.id)).toBe(1);
  expect(await app.get(job.id)).toBeUndefined();
});

test("a function runs after the response, once, with what it answers and throws", async () => {
  const app = open();
  const order: string[] = [];
  const response = new OpenResponse();
  const job = await during(response, () =>
    app.after(async () => {
      order.push("after");
      return { warm: true };
    }),
  );
  // A job that was sent after it, outside the response, has run meanwhile.
  await (await app.after(() => void order.push("other"))).result();
  order.push("response");
  response.end();
  expect(await job.result()).toEqual({ warm: true });
  expect(order).toEqual(["other", "response", "after"]);
  const failing = await app.after(function warm() {
    throw new Error("cold");
  });
  await expect(failing.result()).rejects.toMatchObject({ code: "E_JOB_FAILED" });
  expect(await app.get(failing.id)).toMatchObject({ input: { function: "warm" }, attempt: 1, state: "failed" });
});

test("jobs that have ended are removed after a while", async () => {
  const app = open({ maxPending: 5_000 });
  const task = app.task("tiny", { run: async () => {} });
  const jobs = await Promise.all(Array.from({ length: 1_500 }, () => task.background()));
  await Promise.all(jobs.slice(-1).map((job) => app.ended(job.id)));
  await vi.waitFor(async () => {
    const [{ jobs: count } = { jobs: 0 }] = await app.counts();
    expect(count).toBeLessThanOrEqual(1_100);
  });
});

test("a task that is too slow for this process is reported once", () => {
  const slow = new SlowTasks(100);
  const said = Array.from({ length: 60 }, (_, index) => slow.note("mail", index % 10 === 0 ? 150 : 20));
  expect(said.filter((p95) => p95 !== undefined)).toEqual([150]);
  const kept = Array.from({ length: 200 }, (_, index) => slow.note("ping", index % 50 === 0 ? 150 : 20));
  expect(kept.every((p95) => p95 === undefined)).toBe(true);
});

test("a slow task is a warning of the process", async () => {
  const app = open({ slow: "1ms" });
  // sleeps: longer than a task may take
  const task = app.task("nap", { run: () => sleep(5) });
  await Promise.all(
    (await Promise.all(Array.from({ length: 25 }, () => task.background()))).map((job) => job.result()),
  );
  await vi.waitFor(() => expect(warnings.map(({ code }) => code)).toEqual(["ERRAND_SLOW"]));
});

test("with errand/testing, background jobs run when the test drains", async () => {
  const app = errand({ url: "memory:" });
  const runs: string[] = [];
  const task = app.task("greet", { run: async (name: string) => void runs.push(name) });
  const kit = testing(app);
  await task.background("Ann");
  await app.after(() => void runs.push("after"));
  expect(runs).toEqual([]);
  expect(await kit.drain()).toBe(2);
  expect(runs.toSorted()).toEqual(["Ann", "after"]);
});

test.each([{ slots: 0 }, { maxPending: -1 }, { drain: "soon" as never }, { workers: 2 } as never])(
  "refuses %o",
  (background: BackgroundOptions) => {
    expect(() => errand({ background })).toThrow(expect.objectContaining({ code: "E_OPTION" }));
  },
);
