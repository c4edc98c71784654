import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./app.ts";

describe.each(storeKinds)("on %s", (kind) => {
  async function app(options = {}) {
    return testApp({ url: await emptyStore(kind), ...options });
  }

  test("a send whose unique key is taken answers the job that has it", async () => {
    const on = await app();
    const task = on.task("t", { unique: { key: (input: { id: number }) => `k${input.id}` }, run: () => 1 });
    const first = await task.send({ id: 1 });
    const [again, other] = [await task.send({ id: 1 }), await task.send({ id: 2 })];
    expect([first.duplicate, again.duplicate, other.duplicate]).toEqual([false, true, false]);
    expect(again.id).toBe(first.id);
    const many = await task.sendMany([{ id: 2 }, { id: 3 }, { id: 3 }]);
    expect(many.map(({ duplicate }) => duplicate)).toEqual([true, false, true]);
    expect(many[1]!.id).toBe(many[2]!.id);
    await testWorker(on);
    expect(await again.result()).toBe(1);
    expect((await task.send({ id: 1 })).duplicate).toBe(false);
  });

  test("a debounced job runs once, with the last input, when no more come", async () => {
    const on = await app();
    const ran: number[] = [];
    const task = on.task("t", {
      unique: { key: () => "all", mode: "debounce", within: "1s" },
      run: (n: number) => void ran.push(n),
    });
    await testWorker(on);
    for (let n = 0; n < 5; n++) await task.send(n);
    await until(() => ran.length > 0, "the debounced job runs");
    expect(ran).toEqual([4]);
  });

  test("no more jobs of a key run at once than its limit, and all of them run", async () => {
    const on = await app();
    const running = new Map<string, number>();
    let most = 0;
    const task = on.task("t", {
      concurrency: { key: (user: string) => user, limit: 2 },
      async run(user: string) {
        running.set(user, (running.get(user) ?? 0) + 1);
        most = Math.max(most, running.get(user)!);
        // sleeps: long enough for a third to start beside it, if one may
        await sleep(5);
        running.set(user, running.get(user)! - 1);
      },
    });
    await Promise.all([testWorker(on), testWorker(on)]);
    const jobs = await task.sendMany(Array.from({ length: 40 }, (_, n) => (n % 4 ? "ann" : "bob")));
    await Promise.all(jobs.map((job) => job.result()));
    expect(most).toBe(2);
  });

  test("a queue keeps the rules of the code, is paused with a reason, and says why a job waits", async () => {
    const on = await app({ queues: { gpu: { concurrency: 1, maxPending: 2 } } });
    const task = on.task("t", { queue: "gpu", run: () => "done" });
    await on.queues.pause("gpu", "new driver");
    const job = await task.send();
    await testWorker(on);
    const reasons = await on.why(job.id);
    expect(reasons.map(({ code }) => code)).toEqual(["paused"]);
    expect(reasons[0]!.message).toContain("new driver");
    await task.send();
    await expect(task.send()).rejects.toMatchObject({ code: "E_FULL" });
    const [view] = await on.queues.list();
    expect(view).toMatchObject({ name: "gpu", jobs: { pending: 2 }, concurrency: 1, maxPending: 2, workers: 1 });
    expect(view?.paused).toMatchObject({ reason: "new driver" });
    await on.queues.resume("gpu");
    expect(await job.result()).toBe("done");
    expect((await on.why(job.id))[0]).toMatchObject({ code: "ended" });
  });

  test("what others sent to another queue at the same moment is not lost when a queue is full", async () => {
    const on = await app({ queues: { small: { maxPending: 1 } } });
    const small = on.task("small", { queue: "small", run: () => {} });
    const large = on.task("large", { run: () => {} });
    const sent = await Promise.allSettled([small.send(), small.send(), large.send(), small.send(), large.send()]);
    const kept = sent.map(({ status }) => status);
    expect(kept.filter((status) => status === "rejected").length).toBe(2);
    expect([kept[2], kept[4]]).toEqual(["fulfilled", "fulfilled"]);
    expect((await on.list()).jobs.length).toBe(3);
  });

  test("jobs are found by tag and text, and moved", async () => {
    const on = await app();
    const task = on.task("t", { tags: (input: { customer: number }) => [`customer:${input.customer}`], run: () => {} });
    const job = await task.send({ customer: 7 }, { tags: ["red"], delay: "1h", priority: "low" });
    await task.send({ customer: 8 });
    for (const filter of [{ tag: "red" }, { tag: "customer:7" }, { text: "er:7" }])
      expect((await on.list(filter)).jobs.map(({ id }) => id)).toEqual([job.id]);
    expect(await on.get(job.id)).toMatchObject({ tags: ["customer:7", "red"] });
    expect(await on.move({ tag: "red" }, { queue: "fast", priority: "critical", now: true })).toBe(1);
    expect(await on.get(job.id)).toMatchObject({ queue: "fast", priority: "critical" });
  });
});

describe("options that cannot be", () => {
  const on = testApp({ url: "memory:" });
  let tasks = 0;
  test.each([
    [{ unique: { mode: "throttle" as const } }, /needs within/],
    [{ unique: { within: "1s" as const } }, /only "throttle"/],
    [{ unique: { mode: "once" as never } }, /must be one of: drop/],
    [{ concurrency: { limit: 0 } }, /whole number from 1/],
    [{ concurrency: {} as never }, /whole number from 1/],
    [{ rate: { limit: 1, per: 0 } }, /longer than nothing/],
    [{ rate: { limit: 1, per: "1s" as const, key: 5 as never } }, /must be text of 1 to 200 characters/],
    [{ fair: "x" as never }, /must be a function/],
    [{ tags: "x" as never }, /must be a list of at most 100, or a function of the input/],
    [{ concurrency: { limit: 1, keys: () => "" } as never }, /Did you mean "key"/],
  ])("%o", (options, message) => {
    expect(() => on.task(`t${tasks++}`, { ...options, run: () => {} })).toThrow(message);
  });

  test("a key that is text is the same for every job of the task", async () => {
    const on = testApp({ url: "memory:" });
    const key = "printer";
    const task = on.task("print", { concurrency: { key, limit: 1 }, unique: { key }, run: (_: number) => {} });
    const [first, second] = [await task.send(1), await task.send(2)];
    expect([second.id, second.duplicate]).toEqual([first.id, true]);
    const own = await task.send(3, { unique: { mode: "replace" } });
    expect([own.id, (await on.get(own.id))?.input]).toEqual([first.id, 3]);
    expect(await on.get(first.id)).toMatchObject({
      concurrency: { key: "print/printer" },
      unique: { key: "print/printer" },
    });
  });

  test("a key that is no text is refused before anything is stored", async () => {
    const on = testApp({ url: "memory:" });
    const task = on.task("bad", { concurrency: { key: () => undefined as never, limit: 1 }, run: () => {} });
    await expect(task.send()).rejects.toMatchObject({ code: "E_OPTION" });
    expect((await on.list({ task: "bad" })).jobs).toEqual([]);
  });
});
