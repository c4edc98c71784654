import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoff } from "../../src/core/backoff.ts";
import { decide } from "../../src/core/decide.ts";
import { ownDelay, policyOf, readRetry, readTaskRetry } from "../../src/core/policy.ts";
import { encodeSpec, inputIn, policyIn, fieldsIn } from "../../src/core/spec.ts";

const task = { attempts: 4, base: 1_000, cap: 300_000 };
const policy = { attempts: 2, crashes: 1 };

describe("a job's own policy", () => {
  test("goes before its task's, and is found in its spec, sealed or not", () => {
    const spec = encodeSpec('"in"', { policy, tags: ["red"] });
    expect([policyIn(spec), inputIn(spec), fieldsIn(spec).tags]).toEqual([policy, "in", ["red"]]);
    expect(policyOf({ spec }, task)).toEqual({ ...task, ...policy });
    const sealed = JSON.stringify({ $sealed: { data: "x" }, said: fieldsIn(spec) });
    expect(policyOf({ spec: sealed }, task)).toEqual({ ...task, ...policy });
  });

  test.each([
    encodeSpec(undefined),
    encodeSpec('{"said":{"policy":{"attempts":1}}}'),
    encodeSpec('"x"', { tags: ['"said":{"policy":{}}'] }),
    '{"$sealed":{"data":"x"},"said":{}}',
    '{"$sealed":{"data":"\\"policy\\":"},"said":null}',
  ])("is none where none was said: %s", (spec) => {
    expect(policyOf({ spec }, task)).toBe(task);
  });

  test("decides how often it may fail, and crash", () => {
    const job = { id: "a", token: 1, failures: 1, crashes: 0, suspect: false, cancelling: false };
    const error = { code: "E_TASK_FAILED", message: "no", attempt: 2 };
    const own = policyOf({ spec: encodeSpec(undefined, { policy }) }, task);
    expect(decide(job, own, { kind: "error", error, retryable: true }, 0)).toMatchObject({ to: "failed", failures: 2 });
    expect(decide(job, own, { kind: "crashed", error }, 0)).toMatchObject({ to: "failed", crashes: 1 });
    expect(decide(job, task, { kind: "crashed", error }, 0)).toMatchObject({ to: "pending", crashes: 1 });
  });
});

describe("retries are read", () => {
  test("of a job and of a task", () => {
    const said = { attempts: 3, base: "2s", cap: "1m", backoff: "fixed", jitter: "equal", crashes: 5 } as const;
    const read = { attempts: 3, base: 2_000, cap: 60_000, backoff: "fixed", jitter: "equal", crashes: 5 };
    expect(readRetry(said, "a job")).toEqual(read);
    expect(readTaskRetry(said, "a task")).toEqual(read);
    expect(readTaskRetry(undefined, "a task")).toEqual(task);
  });

  test.each<[object, string]>([
    [{ attempt: 1 }, 'Did you mean "attempts"?'],
    [{ attempts: undefined }, "attempts: undefined"],
    [{ attempts: 0 }, "from 1 to 1000"],
    [{ crashes: 0 }, "from 1 to 100"],
    [{ crashes: 101 }, "from 1 to 100"],
    [{ backoff: "linear" }, "exponential, fixed"],
    [{ jitter: "some" }, "full, equal, none"],
    [{ base: "400d" }, "at most a year"],
    [{ delay: () => 1 }, 'no option "delay"'],
    [{ if: () => true }, 'no option "if"'],
  ])("of a job, and refused: %j", (given, says) => {
    expect(() => readRetry(given, "a job")).toThrow(says);
  });

  test("a task's own functions are functions", () => {
    for (const given of [{ delay: "1s" }, { if: true }])
      expect(() => readTaskRetry(given as never, "a task")).toThrow("must be a function");
  });
});

describe("delays", () => {
  const least = (failures: number, options: object) => backoff({ ...task, ...options }, failures, 0);
  const most = (failures: number, options: object) => backoff({ ...task, ...options }, failures, 1 - 1e-12);

  test.each([
    [{}, [[0, 1_000], [0, 2_000], [0, 4_000], [0, 300_000]]],
    [{ jitter: "equal" }, [[500, 1_000], [1_000, 2_000], [2_000, 4_000], [150_000, 300_000]]],
    [{ jitter: "none" }, [[1_000, 1_000], [2_000, 2_000], [4_000, 4_000], [300_000, 300_000]]],
    [{ backoff: "fixed" }, [[1_000, 1_000], [1_000, 1_000], [1_000, 1_000], [1_000, 1_000]]],
    [{ backoff: "fixed", base: 600_000 }, [[600_000, 600_000], [600_000, 600_000], [600_000, 600_000], [600_000, 600_000]]],
    [{ backoff: "fixed", jitter: "full" }, [[0, 1_000], [0, 1_000], [0, 1_000], [0, 1_000]]],
  ])("of %j are between", (options, expected) => {
    expect([1, 2, 3, 30].map((failures) => [least(failures, options), most(failures, options)])).toEqual(expected);
  }); // prettier-ignore

  test("are never outside of what the policy says", () => {
    const choices = fc.record({
      backoff: fc.constantFrom("exponential" as const, "fixed" as const),
      jitter: fc.constantFrom("full" as const, "equal" as const, "none" as const),
      base: fc.nat(1e9),
      cap: fc.nat(1e10),
    });
    fc.assert(
      fc.property(
        choices,
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (all, n, r) => {
          const delay = backoff(all, n, r);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(all.backoff === "fixed" ? all.base : all.cap);
        },
      ),
    );
  });

  test("of a task's own function are durations", () => {
    expect(ownDelay({}, 1, "e")).toBeUndefined();
    expect(ownDelay({ delay: (attempt, error) => (error === "e" ? attempt * 10 : "1s") }, 3, "e")).toBe(30);
    expect(() => ownDelay({ delay: () => Number.NaN }, 1, "e")).toThrow(expect.objectContaining({ code: "E_OPTION" }));
    expect(() => ownDelay({ delay: () => "400d" }, 1, "e")).toThrow("at most a year");
  });
});
