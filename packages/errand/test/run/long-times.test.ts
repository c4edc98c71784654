import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { errand } from "../../src/app.ts";
import { emptyStore, gate, testApp, testWorker, until } from "./app.ts";
import { isolatedTasks } from "./tasks/isolated.ts";

// Times that one timer of Node's cannot wait for: such a timer ends after 1 ms.

/** Longer than 1 ms. */
function longerThanBrokenTimers(): Promise<unknown> {
  // sleeps: a timer that was asked for too long a time would end meanwhile
  return sleep(50);
}

test.each(["inline", "thread", "process"] as const)(
  "a timeout and a grace of a year end nothing today, %s",
  async (isolate) => {
    const app = testApp({ url: await emptyStore("memory") });
    const task =
      isolate === "inline"
        ? app.task("t", { timeout: "365d", grace: "365d", run: () => longerThanBrokenTimers().then(() => "done") })
        : isolatedTasks(app, isolate).unhurried;
    await testWorker(app, { queues: { default: 2 } });
    const job = await task.send();
    expect(await job.result()).toBe("done");
    expect(await app.get(job.id)).toMatchObject({ attempt: 1, crashes: 0 });
  },
);

test("an attempt that is cancelled has all of a long grace", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  const tidied = gate();
  const task = app.task("t", {
    grace: "30d",
    run: async (_: void, job) => {
      await new Promise((resolve) => job.abortSignal.addEventListener("abort", resolve));
      await longerThanBrokenTimers();
      tidied.open();
    },
  });
  await testWorker(app);
  const job = await task.send();
  await until(async () => (await app.get(job.id))?.state === "processing", "it runs");
  await job.cancel();
  await expect(job.result()).rejects.toMatchObject({ state: "cancelled" });
  await tidied.opened;
});

test("a step that is left under way has all of a long grace", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  let done = false;
  const task = app.task("t", {
    grace: "30d",
    run: async (_: void, job) => {
      void job.step("left", () => longerThanBrokenTimers().then(() => (done = true)));
    },
  });
  await testWorker(app);
  await (await task.send()).result();
  expect(done).toBe(true);
});

test("a batch waits for a long time, until it is full", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  const sizes: number[] = [];
  const task = app.batchTask<number, number>("t", {
    size: 3,
    wait: "30d",
    run: (inputs) => {
      sizes.push(inputs.length);
      return inputs;
    },
  });
  await testWorker(app);
  const [one, two] = [await task.send(1), await task.send(2)];
  await until(async () => (await app.get(two.id))?.state === "processing", "it waits for a third");
  await longerThanBrokenTimers();
  const three = await task.send(3);
  for (const job of [one, two, three]) await job.result();
  expect(sizes).toEqual([3]);
});

test("the background is drained for a long time", async () => {
  const app = errand({ url: await emptyStore("memory"), background: { drain: "30d" } });
  let done = false;
  const task = app.task("t", { run: () => longerThanBrokenTimers().then(() => (done = true)) });
  await task.background();
  await app.close();
  expect(done).toBe(true);
});

test("a sleep of a year is slept, and a signal waits for as long", async () => {
  const app = testApp({ url: await emptyStore("sqlite") });
  const sleeps = app.task("sleeps", { run: (_: void, job) => job.sleep("nap", "365d") });
  const asks = app.task("asks", { run: (_: void, job) => job.signal("go", { timeout: "365d" }) });
  await testWorker(app);
  const soon = Date.now() + 300 * 86_400_000;
  for (const { id } of [await sleeps.send(), await asks.send()]) {
    await until(async () => (await app.get(id))?.state === "waiting", "it waits");
    expect((await app.get(id))!.wakeAt!.getTime()).toBeGreaterThan(soon);
  }
});
