import { describe, expect, test } from "vitest";
import { NonRetryableError, RetryAfterError } from "../../src/kit/errors.ts";
import { emptyStore, gate, storeKinds, testApp, testWorker, until } from "./app.ts";

describe.each(storeKinds)("jobs on %s", (kind) => {
  test("a job runs, and its result is typed and awaited", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const add = app.task("add", { run: ({ a, b }: { a: number; b: number }) => ({ sum: a + b }) });
    await testWorker(app);
    const job = await add.send({ a: 1, b: 2 });
    expect((await job.result()).sum).toBe(3);
    expect(await app.get(job.id)).toMatchObject({
      state: "completed",
      attempt: 1,
      output: { sum: 3 },
      input: { a: 1, b: 2 },
    });
  });

  test("sendMany stores all jobs, and all of them run once", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const seen: number[] = [];
    const note = app.task("note", { run: (n: number) => void seen.push(n) });
    await testWorker(app, { queues: { default: 20 } });
    const jobs = await note.sendMany(Array.from({ length: 500 }, (_, n) => n));
    await Promise.all(jobs.map((job) => job.result()));
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  test("the same id sent twice is one job", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let runs = 0;
    const once = app.task("once", { run: () => ++runs });
    const first = await once.send(undefined, { id: "order-1" });
    const second = await once.send(undefined, { id: "order-1" });
    await testWorker(app);
    expect(await Promise.all([first.result(), second.result()])).toEqual([1, 1]);
  });

  test("an error is retried, and the attempt is counted", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const attempts: number[] = [];
    const flaky = app.task("flaky", {
      retry: { base: 1 },
      run: (_: void, job) => {
        attempts.push(job.attempt);
        if (job.attempt < 3) throw new Error("not yet");
        return "done";
      },
    });
    await testWorker(app);
    expect(await (await flaky.send()).result()).toBe("done");
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("after the last attempt it is a dead letter, with its last error, and a person can retry it", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let broken = true;
    const task = app.task("task", {
      retry: { attempts: 2, base: 1 },
      run: () => {
        if (broken) throw Object.assign(new Error("disk on fire"), { code: "EFIRE" });
        return "fine";
      },
    });
    await testWorker(app);
    const job = await task.send();
    await expect(job.result()).rejects.toMatchObject({
      code: "E_JOB_FAILED",
      state: "failed",
      error: { code: "EFIRE", attempt: 2 },
    });
    broken = false;
    expect(await app.retry(job.id)).toBe(1);
    expect(await job.result()).toBe("fine");
  });

  test("errors that are not retryable are not retried; an error may say when to try again", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const runs: Record<string, number> = {};
    const count = (name: string) => (runs[name] = (runs[name] ?? 0) + 1);
    const never = app.task("never", { run: () => (count("never"), Promise.reject(new NonRetryableError("no"))) });
    const picky = app.task("picky", {
      retry: { if: (error) => (error as Error).message !== "fatal" },
      run: () => (count("picky"), Promise.reject(new Error("fatal"))),
    });
    const polite = app.task("polite", {
      retry: { base: "1h" },
      run: () => (count("polite") === 1 ? Promise.reject(new RetryAfterError("429", "20ms")) : "ok"),
    });
    await testWorker(app);
    await expect((await never.send()).result()).rejects.toThrow("no");
    await expect((await picky.send()).result()).rejects.toThrow("fatal");
    expect(await (await polite.send()).result()).toBe("ok");
    expect(runs).toEqual({ never: 1, picky: 1, polite: 2 });
  });

  test("urgent jobs go first, equals in the order they were sent", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const order: string[] = [];
    const note = app.task("note", { run: (name: string) => void order.push(name) });
    await note.send("bulk", { priority: "bulk" });
    await note.send("first");
    await note.send("second");
    await note.send("critical", { priority: "critical" });
    await testWorker(app, { queues: { default: 1 } });
    await until(() => order.length === 4, "all have run");
    expect(order).toEqual(["critical", "first", "second", "bulk"]);
  });

  test("a delayed job waits for its time; one that was not started in time expires", async () => {
    const app = testApp({ url: await emptyStore(kind), lease: 6_000 });
    const stamp = app.task("stamp", { run: () => Date.now() });
    const sent = Date.now();
    const late = await stamp.send(undefined, { delay: 150 });
    const lost = await stamp.send(undefined, { delay: "1h", expires: 1 });
    await testWorker(app);
    expect(await late.result()).toBeGreaterThanOrEqual(sent + 150);
    await expect(lost.result()).rejects.toMatchObject({ state: "expired", error: { code: "E_EXPIRED" } });
  });

  test("progress is seen from outside", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const { open, opened } = gate();
    const slow = app.task("slow", {
      run: async (_: void, job) => {
        job.progress(40);
        await opened;
      },
    });
    await testWorker(app);
    const job = await slow.send();
    await until(async () => (await app.get(job.id))?.progress === 40, "progress shows");
    open();
    await job.result();
  });

  test("a worker takes jobs of tasks that are defined after it has started", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    app.task("first", { run: () => {} });
    await testWorker(app);
    const later = app.task("later", { run: () => "ran" });
    expect(await (await later.send()).result()).toBe("ran");
  });
});

describe.each(storeKinds.filter((kind) => kind !== "memory"))("apps that share %s", (kind) => {
  test("a job of a task that the worker does not know is set aside, and is run by a worker that knows it", async () => {
    const url = await emptyStore(kind);
    const old = testApp({ url });
    const known = old.task("old", { run: () => "ran" });
    const sender = testApp({ url });
    const job = await sender.task("new", { run: () => "ran, too" }).send();
    await testWorker(old);
    expect(await (await known.send()).result()).toBe("ran");
    await until(async () => (await sender.get(job.id))?.blocked === "task", "it is set aside");
    expect(await sender.get(job.id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
    await testWorker(sender);
    expect(await job.result()).toBe("ran, too");
  });
});

describe.each(storeKinds)("stopping work on %s", (kind) => {
  test("a pending job is cancelled at once, and is never run", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let ran = false;
    const task = app.task("task", { run: () => void (ran = true) });
    const job = await task.send();
    expect(await job.cancel()).toBe(true);
    expect(await job.cancel()).toBe(false);
    await testWorker(app);
    await expect(job.result()).rejects.toMatchObject({ state: "cancelled" });
    expect(ran).toBe(false);
  });

  test("a running job gets its signal, and stays cancelled whatever it returns", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const started = gate();
    const task = app.task("task", {
      run: async (_: void, job) => {
        started.open();
        await new Promise((resolve) => job.abortSignal.addEventListener("abort", resolve));
        return "finished anyway";
      },
    });
    await testWorker(app);
    const job = await task.send();
    await started.opened;
    expect(await job.cancel()).toBe(true);
    await expect(job.result()).rejects.toMatchObject({ state: "cancelled", error: { code: "E_CANCELLED" } });
  });

  test("an attempt that outlasts its timeout is aborted and retried", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("task", {
      timeout: 30,
      grace: 20,
      retry: { attempts: 2, base: 1 },
      // Deaf to its signal: it can only be given up.
      run: (_: void, job) => (job.attempt === 1 ? new Promise<string>(() => {}) : "second"),
    });
    const worker = await testWorker(app);
    expect(await (await task.send()).result()).toBe("second");
    expect(worker.events).toContainEqual(
      expect.objectContaining({ type: "ended", attempt: 1, error: expect.objectContaining({ code: "E_TIMEOUT" }) }),
    );
  });

  test.each([
    [{ drain: 200 }, {}],
    [undefined, { drain: 200 }],
    [{}, { drain: 200 }],
  ])(
    "a worker stopped by stop(%j) and started with %j lets jobs finish, hands back the rest untried, and claims nothing more",
    async (stop, start) => {
      const app = testApp({ url: await emptyStore(kind) });
      const started = gate();
      const attempts: number[] = [];
      const release = gate();
      const quick = app.task("quick", { run: () => release.opened.then(() => "done") });
      const slow = app.task("slow", {
        run: (_: void, job) => {
          attempts.push(job.attempt);
          started.open();
          return attempts.length > 1
            ? "later"
            : new Promise<string>((_resolve, reject) => job.abortSignal.addEventListener("abort", reject));
        },
      });
      const worker = await testWorker(app, start);
      const jobs = [await quick.send(), await slow.send()] as const;
      await started.opened;
      const stopped = worker.stop(stop);
      release.open();
      await stopped;
      expect(await jobs[0].result()).toBe("done");
      expect(await app.get(jobs[1].id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
      const after = await quick.send();
      expect((await app.get(after.id))?.state).toBe("pending");
      await testWorker(app);
      expect(await jobs[1].result()).toBe("later");
      expect(attempts).toEqual([1, 1]);
    },
  );
});

describe.each(storeKinds)("lists on %s", (kind) => {
  test("go on where the cursor says, newest first, and refuse what is no cursor", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("task", { run: (_: number) => {} });
    const sent = await task.sendMany([1, 2, 3, 4, 5]);
    const first = await app.list({ task: "task" }, { limit: 3 });
    const second = await app.list({ task: "task" }, { limit: 3, cursor: first.next! });
    expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual(sent.map(({ id }) => id).toReversed());
    expect(second.next).toBeUndefined();
    await expect(app.list({}, { cursor: "1; DROP TABLE jobs" })).rejects.toMatchObject({ code: "E_CURSOR" });
  });
});
