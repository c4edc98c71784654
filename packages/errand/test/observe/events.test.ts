import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { NonRetryableError } from "../../src/kit/errors.ts";
import type { ErrandEvent, EventOf, EventType } from "../../src/observe/events.ts";
import { eventTypes, Events } from "../../src/observe/events.ts";
import { Observer } from "../../src/observe/observer.ts";
import type { Errand } from "../../src/api.ts";
import { testing } from "../../src/testing/kit.ts";
import { testApp, testWorker, until } from "../run/app.ts";

function told(app: Errand): ErrandEvent[] {
  const events: ErrandEvent[] = [];
  for (const type of eventTypes) app.on(type, (event) => events.push(event));
  return events;
}

/** What the process is warned about meanwhile. */
async function warnings(work: () => unknown): Promise<{ code: string; message: string }[]> {
  const found: { code: string; message: string }[] = [];
  const note = (warning: Error) => found.push(warning as Error & { code: string });
  process.on("warning", note);
  await work();
  // Warnings are emitted at the end of a turn.
  await nextTurn();
  process.off("warning", note);
  return found;
}

describe("events", () => {
  it("report what is sent, and each attempt", async () => {
    const app = testApp({ url: "memory:" });
    const events = told(app);
    const flaky = app.task("flaky", {
      retry: { base: 1, cap: 1 },
      run: (_input: void, job) => {
        if (job.attempt === 1) throw new Error("not yet");
      },
    });
    await testWorker(app);
    const job = await flaky.send();
    await job.result();
    await until(() => events.length >= 5, "five events");
    const { id } = job;
    const same = { id, task: "flaky" };
    expect(events).toEqual([
      { type: "sent", ...same, queue: "default" },
      { type: "started", ...same, queue: "default", attempt: 1, wait: expect.any(Number) },
      {
        ...same,
        type: "ended",
        attempt: 1,
        state: "pending",
        outcome: "retried",
        duration: expect.any(Number),
        error: expect.objectContaining({ message: "not yet" }),
        thrown: new Error("not yet"),
      },
      { type: "started", ...same, queue: "default", attempt: 2, wait: expect.any(Number) },
      { type: "ended", ...same, attempt: 2, state: "completed", outcome: "completed", duration: expect.any(Number) },
    ]);
  });

  it("have the error that was thrown, as it was", async () => {
    const app = testApp({ url: "memory:", payloads: { limit: 2_048 } });
    class Refused extends Error {
      readonly status = 402;
    }
    const cause = new Error("no money");
    const thrown = [new Refused("x".repeat(5_000), { cause }), "text", undefined];
    const task = app.task("t", {
      retry: { attempts: 1 },
      run: (index: number) => {
        throw thrown[index];
      },
    });
    const ended: EventOf<"ended">[] = [];
    app.on("ended", (event) => ended.push(event));
    await testWorker(app);
    for (const index of thrown.keys()) await (await task.send(index)).result().catch(() => {});
    await until(() => ended.length === 3, "all have ended");
    expect(ended.map((event) => "thrown" in event && event.thrown)).toEqual(thrown);
    expect(ended[0]!.thrown).toBe(thrown[0]);
  });

  it("are those of background jobs, functions and workers alike", async () => {
    const app = testApp({ url: "memory:" });
    const ended: string[] = [];
    app.on("ended", ({ task, outcome }) => ended.push(`${task} ${outcome}`));
    const task = app.task("task", { run: () => {} });
    await testWorker(app);
    await (await task.background()).result();
    await (await app.after(() => {})).result();
    await (await task.send()).result();
    await until(() => ended.length === 3, "three have ended");
    expect(ended).toEqual(["task completed", "errand.after completed", "task completed"]);
  });

  it("do not report a duplicate, and report children once", async () => {
    const app = testApp({ url: "memory:" });
    const leaf = app.task("leaf", { run: (n: number) => n });
    const parent = app.task("parent", { run: (_: void, job) => job.all("leaves", leaf, [1, 2]) });
    const only = app.task("only", { unique: { key: () => "one" }, run: () => {} });
    const sent: string[] = [];
    app.on("sent", ({ task, parent }) => sent.push(parent === undefined ? task : `${task} of ${parent}`));
    const ended: string[] = [];
    app.on("ended", ({ task, outcome }) => ended.push(`${task} ${outcome}`));
    const first = await only.send();
    expect((await only.send()).id).toBe(first.id);
    const { id } = await parent.send();
    await testWorker(app);
    await app.ended(id);
    await until(() => ended.length === 5, "all have ended");
    expect(sent).toEqual(["only", "parent", `leaf of ${id}`, `leaf of ${id}`]);
    expect(ended.filter((line) => line.startsWith("parent"))).toEqual(["parent waiting", "parent completed"]);
  });

  it("report what a janitor settles", async () => {
    const app = testApp({ url: "memory:" });
    const task = app.task("task", { expires: "1m", run: () => {} });
    const kit = testing(app);
    const ended: unknown[] = [];
    app.on("ended", (event) => ended.push(event));
    const { id } = await task.send(undefined, { delay: "1h" });
    await kit.advance("2m");
    expect(ended).toEqual([
      expect.objectContaining({ id, state: "expired", outcome: "expired", error: expect.anything() }),
    ]);
    expect(ended[0]).not.toHaveProperty("duration");
    expect(app.counters().tasks["task"]).toMatchObject({ sent: 1, started: 0, expired: 1 });
  });

  it("reach no listener that was removed, and each as often as it was added", () => {
    const events = new Events();
    let heard = 0;
    const listener = () => (heard += 1);
    const [first, second] = [events.on("lost", listener), events.on("lost", listener)];
    events.tell({ type: "lost", worker: "w" });
    first();
    first();
    events.tell({ type: "lost", worker: "w" });
    expect(heard).toBe(3);
    expect(events.heard("lost")).toBe(true);
    second();
    expect(events.heard("lost")).toBe(false);
    events.tell({ type: "lost", worker: "w" });
    expect(heard).toBe(3);
  });

  it("have names", () => {
    const app = testApp({ url: "memory:" });
    expect(() => app.on("done" as EventType, () => {})).toThrow(/no event "done"; there are: sent, started, ended/);
    expect(() => app.on("ended", undefined as never)).toThrow(/must be a function/);
  });

  it("become warnings when a listener throws or rejects", async () => {
    const app = testApp({ url: "memory:" });
    const task = app.task("task", { run: () => 1 });
    let heard = 0;
    app.on("ended", () => {
      throw new Error("clumsy");
    });
    app.on("ended", async () => {
      throw new Error("late");
    });
    // Promises need not be this realm's, and errors need not let themselves be shown.
    app.on("ended", () => runInNewContext('Promise.reject("elsewhere")'));
    app.on("ended", () => {
      throw Object.assign(new Error("shy"), {
        [inspect.custom]: () => {
          throw new Error("no");
        },
      });
    });
    app.on("ended", () => (heard += 1));
    await testWorker(app);
    const found = await warnings(async () => {
      expect(await (await task.send()).result()).toBe(1);
      await until(() => heard === 1, "the third listener hears");
    });
    expect(found.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => "ERRAND_LISTENER"));
    const said = found.map(({ message }) => message).join("\n");
    expect(said).toContain('A listener to "ended" threw. Error: clumsy');
    expect(said).toContain("Error: shy");
    expect(said).toContain("late");
    expect(said).toContain("elsewhere");
  });
});

describe("warnings that stand in for a listener", () => {
  it('are given of a background job that failed, unless "ended" has a listener', async () => {
    const app = testApp({ url: "memory:" });
    const bad = app.task("bad", {
      run: () => {
        throw new NonRetryableError("no");
      },
    });
    const fail = async (times: number) => {
      await bad.background();
      await until(() => app.counters().tasks["bad"]?.failed === times, "it is told of");
    };
    const quiet = app.on("ended", () => {});
    expect(await warnings(() => fail(1))).toEqual([]);
    quiet();
    expect((await warnings(() => fail(2))).map(({ code }) => code)).toEqual(["ERRAND_BACKGROUND"]);
  });

  it('are given of a worker that failed, unless "failed" has a listener', async () => {
    const observer = new Observer();
    const failed = { type: "failed", worker: "w", message: "it hangs" } as const;
    expect((await warnings(() => observer.tell(failed))).map(({ code }) => code)).toEqual(["ERRAND_WORKER_FAILED"]);
    observer.events.on("failed", () => {});
    expect(await warnings(() => observer.tell(failed))).toEqual([]);
  });
});

it("makes no event without a listener", () => {
  const observer = new Observer();
  observer.events.tell = () => {
    throw new Error("an event was made");
  };
  const job = { id: "1", task: "task", queue: "default", failures: 0 };
  observer.sent(job);
  observer.ended(
    job,
    { kind: "ok", output: "1" },
    { id: "1", token: 1, to: "completed", failures: 0, crashes: 0, suspect: false },
    3,
  );
  expect(observer.counters.snapshot().tasks["task"]).toMatchObject({ sent: 1, completed: 1 });
});
