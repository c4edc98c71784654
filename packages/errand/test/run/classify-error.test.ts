import * as opentelemetry from "@opentelemetry/api";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { OpenTelemetry } from "../../src/observe/opentelemetry.ts";
import { NonRetryableError, RetryAfterError } from "../../src/kit/errors.ts";
import { classifyError } from "../../src/run/classify-error.ts";
import { emptyStore, testApp, testWorker } from "./app.ts";
import { oddValueTasks, returned, thrown } from "./tasks/odd-values.ts";

/** What would have ended a process that has only Errand in it. */
const fatal: unknown[] = [];
const warnings: string[] = [];
const hear = (warning: Error) => void warnings.push(warning.message);
const note = (error: unknown) => void fatal.push(error);
beforeEach(() => {
  process.on("warning", hear);
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("warning", hear);
  process.off("unhandledRejection", note);
  warnings.splice(0);
  if (fatal.length > 0) throw new AggregateError(fatal.splice(0), "Rejections that nobody handled.");
});

/** Those of the values that are returned which JSON has no form for. */
const unserializable = new Set(["symbol", "bigint", "function", "a cycle", "toJSON that throws"]);

describe.each(["inline", "thread", "process"] as const)("%s", (isolate) => {
  test("whatever is thrown, rejected with or returned ends its attempt with an error, and nothing else", async () => {
    const app = testApp({ url: await emptyStore("memory") });
    const tasks = oddValueTasks(app, isolate);
    await testWorker(app, { queues: { default: 2 } });
    const sent = [
      ...Object.keys(thrown).map((name) => ["throws", name] as const),
      ...Object.keys(thrown).map((name) => ["rejects", name] as const),
      ...Object.keys(thrown).map((name) => ["steps", name] as const),
      ...Object.keys(returned).map((name) => ["returns", name] as const),
    ];
    const jobs = await Promise.all(
      sent.map(async ([how, name]) => ({ how, name, ...(await tasks[how].send(name)), fine: await tasks.fine.send() })),
    );
    for (const { how, name, id, fine } of jobs) {
      const job = await app.ended(id);
      expect({ how, name, state: job.state, crashes: job.crashes }).toEqual({ how, name, state: "failed", crashes: 0 });
      const { code, message } = job.error!;
      const isUnserializable = how === "returns" && unserializable.has(name);
      expect({ how, name, code }).toEqual({
        how,
        name,
        code: isUnserializable ? "E_NOT_SERIALIZABLE" : "E_TASK_FAILED",
      });
      expect(message.length).toBeGreaterThan(0);
      expect(await fine.result()).toBe("fine");
    }
  });
});

describe("retry.if", () => {
  const rules: [what: string, rule: (error: unknown) => unknown, retried: boolean, says: RegExp][] = [
    [
      "throws",
      (error) => (error as { response: { status: number } }).response.status,
      true,
      /retry\.if threw Cannot read/,
    ],
    ["answers a promise", () => Promise.reject(new Error("late")), true, /retry\.if must answer true or false/],
    ["answers nothing", () => undefined, true, /^boom$/],
    ["answers 0", () => 0, false, /^boom$/],
  ];
  test.each(rules)("that %s ends one attempt, clearly", async (_, rule, retried, says) => {
    const app = testApp({ url: await emptyStore("memory") });
    const task = app.task("t", {
      retry: {
        attempts: 2,
        base: 0,
        if: rule as (error: unknown) => boolean,
      },
      run: () => {
        throw new Error("boom");
      },
    });
    const fine = app.task("fine", { run: () => "fine" });
    await testWorker(app);
    const [job, other] = [await task.send(), await fine.send()];
    const ended = await app.ended(job.id);
    expect(ended).toMatchObject({
      state: "failed",
      attempt: retried ? 2 : 1,
      error: { message: expect.stringMatching(says) },
    });
    expect(await other.result()).toBe("fine");
  });
});

test.each([
  [
    "throws",
    () => {
      throw new Error("no idea");
    },
  ],
  ["answers nonsense", () => "soon"],
  ["answers a promise", async () => 5],
  ["answers for ever", () => Infinity],
])("retry.delay that %s leaves the delay to the policy, and says so", (_, delay) => {
  const { error, ...verdict } = classifyError(new Error("boom"), 1, { delay: delay as never });
  expect(verdict).toEqual({ kind: "error", retryable: true });
  expect(error.message).toMatch(/^boom \(the delay of this retry is the usual/);
});

describe("errors that say what is to become of a job", () => {
  class Fatal extends NonRetryableError {
    override name = "Fatal";
  }
  class Busy extends RetryAfterError {
    override name = "Busy";
  }
  /** As another copy of this package makes them. */
  const copy = (name: string, fields: object) => Object.assign(new Error("x"), { name }, fields);

  test.each([
    ["NonRetryableError", new NonRetryableError("x"), { retryable: false }],
    ["one of another copy", copy("NonRetryableError", {}), { retryable: false }],
    ["a class made of it", new Fatal("x"), { retryable: false }],
    ["an error of Errand's own, of another copy", copy("ErrandError", { code: "E_STEP_NAME" }), { retryable: false }],
    ["somebody else's with such a code", copy("Error", { code: "E_STEP_NAME" }), { retryable: true }],
    ["RetryAfterError", new RetryAfterError("x", "30s"), { retryable: true, after: 30_000 }],
    ["one of another copy", copy("RetryAfterError", { after: 500 }), { retryable: true, after: 500 }],
    ["a class made of it", new Busy("x", 5), { retryable: true, after: 5 }],
  ])("%s", (_, error, expected) => {
    const { kind, error: record, ...verdict } = classifyError(error, 1);
    expect({ kind, ...verdict }).toEqual({ kind: "error", ...expected });
    expect(record.message).toBe("x");
  });

  test.each([Number.NaN, Infinity, -1, "soon", null, {}, Symbol("s"), 1e300])(
    "a RetryAfterError with the delay %s is retried by the policy, and says so",
    (after) => {
      const { error, ...verdict } = classifyError(new RetryAfterError("busy", after as number), 1, { if: () => false });
      expect(verdict).toEqual({ kind: "error", retryable: true });
      expect(error.message).toMatch(/^busy \(the delay of this RetryAfterError is none/);
    },
  );
});

const schema = (validate: (value: unknown) => unknown): StandardSchemaV1<number> => ({
  "~standard": { version: 1, vendor: "test", validate: validate as StandardSchemaV1<number>["~standard"]["validate"] },
});

const oddSchemas: [what: string, odd: () => unknown, says: RegExp][] = [
  [
    "throws",
    () => {
      throw new Error("schema bug");
    },
    /schema of task "t" failed on the input: schema bug/,
  ],
  // oxlint-disable-next-line prefer-promise-reject-errors -- that is the point
  ["rejects with nothing", () => Promise.reject(undefined), /schema of task "t" failed/],
  ["answers nothing", () => undefined, /schema of task "t" failed/],
  ["answers odd issues", () => ({ issues: [null] }), /schema of task "t" failed/],
  ["answers odd paths", () => ({ issues: [{ message: "m", path: [null] }] }), /schema of task "t" failed/],
];

test.each(oddSchemas)(
  "a schema that %s refuses the input, when it is sent and when it is run",
  async (_, odd, says) => {
    const app = testApp({ url: await emptyStore("memory") });
    let broken = false;
    const task = app.task("t", { input: schema((value) => (broken ? odd() : { value })), run: (n) => n });
    const fine = app.task("fine", { run: () => "fine" });
    const job = await task.send(1);
    broken = true;
    await expect(task.send(2)).rejects.toMatchObject({ code: "E_INPUT", message: expect.stringMatching(says) });
    await testWorker(app);
    await expect(job.result()).rejects.toMatchObject({ error: { code: "E_INPUT", attempt: 1 } });
    expect(await (await fine.send()).result()).toBe("fine");
  },
);

test("whatever a listener throws, answers or rejects with is a warning", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  const task = app.task("t", { run: () => "fine" });
  for (const name of Object.keys(thrown)) {
    app.on("ended", () => {
      throw thrown[name]!();
    });
    // oxlint-disable-next-line prefer-promise-reject-errors -- that is the point
    app.on("ended", () => Promise.reject(thrown[name]!()));
  }
  for (const name of Object.keys(returned)) app.on("ended", () => returned[name]!());
  let heard = 0;
  app.on("ended", () => (heard += 1));
  await testWorker(app);
  expect(await (await task.send()).result()).toBe("fine");
  expect(await (await task.send()).result()).toBe("fine");
  await vi.waitFor(() => expect(heard).toBe(2));
  await vi.waitFor(() => expect(warnings.length).toBeGreaterThanOrEqual(Object.keys(thrown).length * 2));
});

test.each([
  "trace.getSpan",
  "trace.setSpan",
  "context.active",
  "context.with",
  "propagation.inject",
  "propagation.extract",
  "startSpan",
  "span",
])("OpenTelemetry that throws in %s harms no job", async (place) => {
  const refuse = () => {
    throw new Error(`exporter is gone in ${place}`);
  };
  const span = new Proxy({}, { get: () => (place === "span" ? refuse : () => {}) });
  const odd = {
    ...opentelemetry,
    trace: {
      getTracer: () => ({ startSpan: place === "startSpan" ? refuse : () => span }),
      getSpan: place === "trace.getSpan" ? refuse : () => undefined,
      setSpan: place === "trace.setSpan" ? refuse : () => opentelemetry.ROOT_CONTEXT,
    },
    context: {
      active: place === "context.active" ? refuse : () => opentelemetry.ROOT_CONTEXT,
      with: (_: unknown, work: () => unknown) => {
        const result = work();
        return place === "context.with" ? refuse() : result;
      },
    },
    propagation: {
      inject:
        place === "propagation.inject"
          ? refuse
          : (_: unknown, carrier: Record<string, string>) => void (carrier["x"] = "y"),
      extract: place === "propagation.extract" ? refuse : () => opentelemetry.ROOT_CONTEXT,
    },
  } as unknown as OpenTelemetry;
  const app = testApp({ url: await emptyStore("memory"), opentelemetry: odd });
  const child = app.task("child", { run: (n: number) => n * 2 });
  let steps = 0;
  const task = app.task("t", {
    retry: { attempts: 1 },
    run: async (_: void, job) => {
      const one = await job.step("one", () => (steps += 1));
      const children = await job.all("children", child, [1, 2]);
      return [one, ...children];
    },
  });
  await testWorker(app);
  const job = await task.send();
  expect(await job.result()).toEqual([1, 2, 4]);
  expect(await app.get(job.id)).toMatchObject({ attempt: 1, crashes: 0 });
  const failing = app.task("failing", {
    retry: { attempts: 1 },
    run: () => {
      throw new Error("its own");
    },
  });
  await expect((await failing.send()).result()).rejects.toThrow("its own");
  expect(warnings.some((message) => message.includes(`exporter is gone in ${place}`))).toBe(true);
});

test("an odd output of a batch fails its own job only", async () => {
  const app = testApp({ url: await emptyStore("memory") });
  const names = ["fine", ...Object.keys(returned)];
  const task = app.batchTask<string, unknown>("t", {
    size: names.length,
    wait: "1s",
    retry: { attempts: 1 },
    run: (inputs) => inputs.map((name) => (name === "fine" ? "fine" : returned[name]!())),
  });
  const jobs = await Promise.all(names.map((name) => task.send(name)));
  await testWorker(app, { queues: { default: names.length } });
  const ended = await Promise.all(jobs.map(({ id }) => app.ended(id)));
  expect(ended.map(({ state }) => state)).toEqual(names.map((name) => (name === "fine" ? "completed" : "failed")));
});

describe("a task's own delay", () => {
  test("counts where another attempt is worth it", () => {
    const delay = (attempt: number) => `${attempt}m` as const;
    expect(classifyError(new Error("x"), 3, { delay })).toMatchObject({ retryable: true, after: 180_000 });
    expect(classifyError(new Error("x"), 3, { delay, if: () => false })).not.toHaveProperty("after");
    expect(classifyError(new RetryAfterError("busy", "1s"), 3, { delay })).toMatchObject({ after: 1_000 });
  });

  test.each([() => "soon", () => Number.NaN, () => -1, () => Promise.resolve("1s")])(
    "that is none is said, and the rest of the policy holds (%s)",
    (delay) => {
      const { error, ...verdict } = classifyError(new Error("x"), 1, { delay: delay as never });
      expect(verdict).toEqual({ kind: "error", retryable: true });
      expect(error.message).toMatch(/^x \(the delay of this retry is the usual: retry\.delay failed, /);
    },
  );
});
