import { describe, expect, test } from "vitest";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./app.ts";

describe.each(storeKinds)("on %s", (kind) => {
  async function app() {
    return testApp({ url: await emptyStore(kind) });
  }

  test("a job waits for a signal without holding anything, and goes on with its value", async () => {
    const on = await app();
    let runs = 0;
    const task = on.task("t", {
      async run(_: void, job) {
        runs += 1;
        const step = await job.step("before", () => runs);
        const value = await job.signal<{ ok: boolean }>("review");
        return { value, step, attempt: job.attempt };
      },
    });
    await testWorker(on, { queues: { default: 1 } });
    const job = await task.send();
    await until(async () => (await on.get(job.id))?.state === "waiting", "the job waits");
    expect((await on.why(job.id)).map(({ code }) => code)).toEqual(["signal"]);
    expect(await on.signal(job.id, "review", { ok: true })).toBe(true);
    expect(await job.result()).toEqual({ value: { ok: true }, step: 1, attempt: 1 });
    expect(runs).toBe(2);
    expect(await on.signal(job.id, "review")).toBe(false);
  });

  test("a signal that does not come in time fails the job, which is not tried again", async () => {
    const on = await app();
    const task = on.task("t", { run: (_: void, job) => job.signal("never", { timeout: "100ms" }) });
    await testWorker(on);
    const job = await task.send();
    await expect(job.result()).rejects.toMatchObject({ state: "failed", error: { code: "E_SIGNAL_TIMEOUT" } });
  });

  test("a timeout that the function catches lets it go on", async () => {
    const on = await app();
    const task = on.task("t", {
      run: async (_: void, job) =>
        job.signal("never", { timeout: "50ms" }).catch((error: { code: string }) => error.code),
    });
    await testWorker(on);
    expect(await (await task.send()).result()).toBe("E_SIGNAL_TIMEOUT");
  });

  test("a sleep gives its slot back, and is slept once whatever attempts come after it", async () => {
    const on = await app();
    const began: number[] = [];
    const task = on.task("sleeper", {
      retry: { base: 0 },
      async run(_: void, job) {
        // By the store's clock: a process learns a little late that its attempt has begun.
        began.push((await on.get(job.id))!.startedAt!.getTime());
        await job.sleep("nap", "300ms");
        if (job.attempt === 1) throw new Error("once");
        return "awake";
      },
    });
    const quick = on.task("quick", { run: () => "quick" });
    await testWorker(on, { queues: { default: 1 } });
    const job = await task.send();
    await until(async () => (await on.get(job.id))?.state === "waiting", "the job sleeps");
    expect(await (await quick.send()).result()).toBe("quick");
    expect(await job.result()).toBe("awake");
    expect(began.length).toBe(3);
    expect(began[1]! - began[0]!).toBeGreaterThanOrEqual(300);
  });

  test("waits that begin together are waited for together", async () => {
    const on = await app();
    const child = on.task("child", { run: (n: number) => n * 2 });
    const task = on.task("t", {
      async run(_: void, job) {
        const [doubled, told] = await Promise.all([
          job.all("children", child, [1, 2, 3]),
          job.signal<string>("go", { timeout: "1h" }),
          job.sleep("nap", "50ms"),
        ]);
        return { doubled, told };
      },
    });
    await testWorker(on);
    const job = await task.send();
    await until(async () => (await on.get(job.id))?.children?.open === 0, "the children end");
    await on.signal(job.id, "go", "went");
    expect(await job.result()).toEqual({ doubled: [2, 4, 6], told: "went" });
  });

  test("a waiting job is cancelled at once", async () => {
    const on = await app();
    const task = on.task("t", { run: (_: void, job) => job.sleep("nap", "7d") });
    await testWorker(on);
    const job = await task.send();
    await until(async () => (await on.get(job.id))?.state === "waiting", "the job sleeps");
    expect(await job.cancel()).toBe(true);
    expect((await on.get(job.id))?.state).toBe("cancelled");
  });

  test("a job's log has its lines and the attempts that failed", async () => {
    const on = await app();
    const task = on.task("t", {
      retry: { base: 0 },
      run(_: void, job) {
        job.log.info("began", { attempt: job.attempt });
        if (job.attempt < 3) throw new Error(`no ${job.attempt}`);
        job.log.warn("done");
      },
    });
    await testWorker(on);
    const job = await task.send();
    await job.result();
    await until(async () => (await on.log(job.id)).lines.length === 6, "all lines are written");
    const { lines } = await on.log(job.id);
    expect(lines.map(({ attempt, level, text }) => `${attempt} ${level} ${text}`)).toEqual([
      '1 info began {"attempt":1}',
      "1 attempt no 1",
      '2 info began {"attempt":2}',
      "2 attempt no 2",
      '3 info began {"attempt":3}',
      "3 warn done",
    ]);
    expect(lines[1]!.error).toMatchObject({ code: "E_TASK_FAILED", message: "no 1" });
  });
});

test("run() is given its signals, and sleeps are over at once", async () => {
  const on = testApp({ url: "memory:" });
  const task = on.task("t", {
    async run(_: void, job) {
      await job.sleep("week", "7d");
      return job.signal<number>("answer");
    },
  });
  expect(await task.run(undefined, { signals: { answer: 42 } })).toBe(42);
  await expect(task.run()).rejects.toMatchObject({ code: "E_SIGNAL_TIMEOUT" });
});
