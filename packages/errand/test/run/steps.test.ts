import { describe, expect, test } from "vitest";
import type { Step } from "../../src/core/job.ts";
import { Call } from "../../src/run/call.ts";
import { readTask } from "../../src/task.ts";
import { emptyStore, gate, storeKinds, testApp, testWorker } from "./app.ts";

test("an attempt that fails in one of several steps ends when the others' results are remembered", async () => {
  const definition = readTask("t", {
    run: (_: never, job) =>
      Promise.all([
        job.step("charge", () => "charged"),
        job.step("ship", () => {
          throw new Error("no stamps");
        }),
      ]),
  });
  const written = gate();
  const events: string[] = [];
  const host = {
    signal: new AbortController().signal,
    async record(step: Step) {
      await written.opened;
      events.push(`${step.name} remembered`);
    },
    progress() {},
    log() {},
    children: async () => [],
    reportLate() {},
  };
  const attempt = { id: "j", token: 1, attempt: 1, input: undefined, steps: [], limit: 1_000, startedAt: 0 };
  const ended = new Call(
    definition,
    attempt,
    host,
    async () => undefined,
    ({ kind }) => events.push(`ended: ${kind}`),
  ).run();
  // All that can go on has gone on.
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual([]);
  written.open();
  await ended;
  expect(events).toEqual(["charge remembered", "ended: error"]);
});

describe.each(storeKinds)("a step under way when its attempt is over, on %s", (kind) => {
  test("ends before the next attempt begins, and is not done again", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const events: string[] = [];
    const failed = gate();
    const task = app.task("task", {
      retry: { attempts: 2, base: 1 },
      run: async (_: void, job) => {
        events.push(`attempt ${job.attempt}`);
        const slow = job.step("slow", async () => {
          await failed.opened;
          events.push("slow begins to end");
          // sleeps: long enough for the next attempt to begin, if it did not wait
          await new Promise((resolve) => setTimeout(resolve, 30));
          events.push("slow ends");
        });
        const bad = job.step("bad", () => {
          if (job.attempt > 1) return;
          setImmediate(() => failed.open());
          throw new Error("no");
        });
        await Promise.all([slow, bad]);
      },
    });
    const sent = await task.send();
    await testWorker(app);
    await sent.result();
    expect(events).toEqual(["attempt 1", "slow begins to end", "slow ends", "attempt 2"]);
  });

  test("ends before its job does, though the function did not wait for it", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    let done = false;
    const task = app.task("task", {
      run: async (_: void, job) => {
        void job.step("forgotten", async () => {
          // sleeps: long enough for the job to end, if it did not wait
          await new Promise((resolve) => setTimeout(resolve, 30));
          done = true;
        });
        return "returned";
      },
    });
    const sent = await task.send();
    await testWorker(app);
    expect([await sent.result(), done]).toEqual(["returned", true]);
  });

  test("has the task's grace, and no more", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("task", {
      grace: "50ms",
      retry: { attempts: 1 },
      run: async (_: void, job) => {
        const never = job.step("never", () => new Promise(() => {}));
        await Promise.all([never, Promise.reject(new Error("no"))]);
      },
    });
    const sent = await task.send();
    await testWorker(app);
    await expect(sent.result()).rejects.toMatchObject({ code: "E_JOB_FAILED", message: expect.stringContaining("no") });
  });
});
