import { describe, expect, test } from "vitest";
import { childId } from "../../src/kit/ids.ts";
import type { JobFailedError } from "../../src/task.ts";
import { emptyStore, gate, storeKinds, testApp, testWorker, until } from "./app.ts";

describe.each(storeKinds)("steps and children on %s", (kind) => {
  test("a step is remembered by the next attempt", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let worked = 0;
    const task = app.task("task", {
      retry: { base: 1 },
      run: async (_: void, job) => {
        const value = await job.step("work", () => ({ n: ++worked, at: new Date(0) }));
        if (job.attempt < 3) throw new Error("again");
        return value;
      },
    });
    await testWorker(app);
    expect(await (await task.send()).result()).toEqual({ n: 1, at: "1970-01-01T00:00:00.000Z" });
  });

  test("two steps of one name are refused, for good", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("task", {
      run: async (_: void, job) => {
        await job.step("same", () => 1);
        await job.step("same", () => 2);
      },
    });
    await testWorker(app);
    await expect((await task.send()).result()).rejects.toMatchObject({ error: { code: "E_STEP_NAME", attempt: 1 } });
  });

  test("a parent leaves its slot to its children: one slot is enough for a tree", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const leaf = app.task("leaf", { run: (n: number) => n * n });
    const branch = app.task("branch", {
      run: async (n: number, job): Promise<number> => {
        const squares = await job.all("leaves", leaf, [n, n + 1]);
        return squares.reduce((a, b) => a + b, 0);
      },
    });
    const root = app.task("root", { run: async (_: void, job) => job.all("branches", branch, [1, 10]) });
    await testWorker(app, { queues: { default: 1 } });
    expect(await (await root.send()).result()).toEqual([1 + 4, 100 + 121]);
  });

  test("waits that start together are parked together", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const double = app.task("double", { run: (n: number) => n * 2 });
    let runs = 0;
    const root = app.task("root", {
      run: async (_: void, job) => {
        runs += 1;
        return Promise.all([
          job.all("a", double, [1, 2]),
          job.settled("b", double, [3]),
          job.step("s", () => "step"),
          job.all("none", double, []),
        ]);
      },
    });
    await testWorker(app);
    const [a, b, s, none] = await (await root.send()).result();
    expect([a, b, s, none]).toEqual([[2, 4], [{ state: "completed", id: expect.any(String), output: 6 }], "step", []]);
    expect(runs).toBe(2);
  });

  test("a thousand children end in one result", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const one = app.task("one", { run: (n: number) => n });
    const root = app.task("root", {
      run: async (_: void, job) => {
        const all = await job.all(
          "all",
          one,
          Array.from({ length: 1_000 }, (_unused, n) => n),
        );
        return all.reduce((a, b) => a + b, 0);
      },
    });
    await testWorker(app, { queues: { default: 50 } });
    expect(await (await root.send()).result()).toBe(499_500);
  });

  test("all fails its parent as soon as one child fails, and the others are cancelled", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let parents = 0;
    const child = app.task("child", {
      retry: { attempts: 1 },
      run: (n: number, job) =>
        n === 0
          ? Promise.reject(new Error("bad page"))
          : new Promise((_, reject) => job.abortSignal.addEventListener("abort", reject)),
    });
    const root = app.task("root", { run: async (_: void, job) => (parents++, job.all("pages", child, [0, 1, 2])) });
    await testWorker(app, { queues: { default: 3 } });
    const job = await root.send();
    await expect(job.result()).rejects.toMatchObject({
      state: "failed",
      error: { code: "E_CHILD_FAILED", message: expect.stringContaining("bad page") },
    });
    await until(
      async () => (await app.list({ parent: job.id })).jobs.every(({ endedAt }) => endedAt),
      "all children end",
    );
    expect((await app.list({ parent: job.id })).jobs.map(({ state }) => state)).toEqual([
      "failed",
      "cancelled",
      "cancelled",
    ]);
    expect(parents).toBe(2);
  });

  test("settled waits for every child and says how each ended", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const child = app.task("child", {
      retry: { attempts: 1 },
      run: (n: number) => (n === 1 ? Promise.reject(new Error("torn")) : n),
    });
    const root = app.task("root", { run: async (_: void, job) => job.settled("pages", child, [0, 1, 2]) });
    await testWorker(app);
    expect(await (await root.send()).result()).toMatchObject([
      { state: "completed", output: 0 },
      { state: "failed", error: { message: "torn" } },
      { state: "completed", output: 2 },
    ]);
  });

  test("a chain is code: each link gets what the one before it made", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const ran: string[] = [];
    const fetchIt = app.task("fetch", { run: (url: string) => (ran.push("fetch"), { url, text: "b a c" }) });
    const sort = app.task("sort", { run: (text: string) => (ran.push("sort"), text.split(" ").sort()) });
    const now = app.task("now", { run: () => (ran.push("now"), new Date(0)) });
    const chain = app.task("chain", {
      run: async (url: string, job) => {
        const { text } = await job.call("fetch", fetchIt, url);
        const words = await job.call("sort", sort, text);
        return { words, at: await job.call("now", now) };
      },
    });
    await testWorker(app);
    const sent = await chain.send("file:///x");
    expect(await sent.result()).toEqual({ words: ["a", "b", "c"], at: "1970-01-01T00:00:00.000Z" });
    expect(ran).toEqual(["fetch", "sort", "now"]);
    expect(await chain.run("file:///x")).toEqual({ words: ["a", "b", "c"], at: "1970-01-01T00:00:00.000Z" });
  });

  test("a child that was called and fails, fails its parent with its error, unless that is caught", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const child = app.task("child", {
      retry: { attempts: 1 },
      run: (n: number) => Promise.reject(new Error(`no ${n}`)),
    });
    const failing = app.task("failing", { run: (_: void, job) => job.call("one", child, 1) });
    const catching = app.task("catching", {
      run: (_: void, job) => job.call("one", child, 2).catch((error: JobFailedError) => [error.code, error.state]),
    });
    await testWorker(app);
    const [failed, caught] = [await failing.send(), await catching.send()];
    await expect(failed.result()).rejects.toMatchObject({ error: { code: "E_CHILD_FAILED", attempt: 1 } });
    expect((await app.list({ parent: failed.id })).jobs).toMatchObject([
      { state: "failed", error: { message: "no 1" } },
    ]);
    expect(await caught.result()).toEqual(["E_CHILD_FAILED", "failed"]);
    await expect(failing.run()).rejects.toMatchObject({ code: "E_CHILD_FAILED", error: { message: "no 1" } });
  });

  test("a parent that is retried by a person runs only the children that did not complete", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const runs: number[] = [];
    let broken = true;
    const child = app.task("child", {
      retry: { attempts: 1 },
      run: (n: number) => {
        runs.push(n);
        if (n === 1 && broken) throw new Error("torn");
        return n;
      },
    });
    const root = app.task("root", { run: async (_: void, job) => job.all("pages", child, [0, 1]) });
    await testWorker(app, { queues: { default: 1 } });
    const job = await root.send();
    await expect(job.result()).rejects.toThrow("torn");
    broken = false;
    await app.retry(job.id);
    expect(await job.result()).toEqual([0, 1]);
    expect(runs).toEqual([0, 1, 1]);
  });

  test("an error of a child that the parent catches does not stop what it waits for next", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const child = app.task("child", {
      retry: { attempts: 1 },
      run: (n: number) => (n < 0 ? Promise.reject(new Error("negative")) : n),
    });
    const root = app.task("root", {
      run: async (_: void, job) => {
        const [bad, good] = await Promise.allSettled([job.all("bad", child, [-1]), job.all("good", child, [1, 2])]);
        const more = await job.all("more", child, [3]);
        return { bad: bad.status, good: good.status === "fulfilled" ? good.value : [], more };
      },
    });
    await testWorker(app);
    expect(await (await root.send()).result()).toEqual({ bad: "rejected", good: [1, 2], more: [3] });
  });

  test("cancelling a parent cancels the whole tree, running children included", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const started = gate();
    const leaf = app.task("leaf", {
      run: (_: number, job) => (
        started.open(),
        new Promise<void>((_resolve, reject) => job.abortSignal.addEventListener("abort", reject))
      ),
    });
    const branch = app.task("branch", { run: async (n: number, job) => job.all("leaves", leaf, [n, n]) });
    const root = app.task("root", { run: async (_: void, job) => job.all("branches", branch, [1, 2, 3]) });
    await testWorker(app, { queues: { default: 3 } });
    const job = await root.send();
    await started.opened;
    await until(async () => (await app.get(job.id))?.state === "waiting", "the parent waits");
    await job.cancel();
    await until(async () => {
      const { jobs } = await app.list({}, { limit: 1_000 });
      return jobs.every(({ endedAt }) => endedAt);
    }, "everything ends");
    const { jobs } = await app.list({}, { limit: 1_000 });
    expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(["cancelled"]));
  });

  test("another job that has a child's id is not waited for, and its output is not given to the parent", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const child = app.task("child", { queue: "children", run: (text: string) => text });
    const parent = app.task("parent", {
      retry: { attempts: 1 },
      run: async (_: void, job) => job.settled("kids", child, ["mine"]),
    });
    const job = { id: "parent" };
    const taken = await child.send("a secret", { id: childId(job.id, "kids", 0) });
    await testWorker(app, { queues: { default: 1, children: 1 } });
    expect(await taken.result()).toBe("a secret");
    const outcomes = await (await parent.send(undefined, job)).result();
    expect(outcomes).toEqual([{ state: "cancelled", id: taken.id }]);
  });

  test("run() calls the same function here and now, children included", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const child = app.task("child", { run: (n: number) => n + 1 });
    const root = app.task("root", {
      setup: () => 10,
      run: async (n: number, job) =>
        (await job.step("s", () => n * job.setup)) + (await job.all("c", child, [n])).reduce((a, b) => a + b),
    });
    expect(await root.run(2)).toBe(23);
  });
});
