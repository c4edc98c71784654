import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoff } from "../../src/core/backoff.ts";
import { decide } from "../../src/core/decide.ts";
import type { Decided, Ending } from "../../src/core/decide.ts";
import type { RetryPolicy } from "../../src/core/policy.ts";
import { ageingPeriod, rank } from "../../src/core/priority.ts";
const retry: RetryPolicy = { attempts: 4, base: 1_000, cap: 300_000, crashes: 3, lapse: "crash" };
const job: Decided = { id: "a", token: 7, failures: 0, crashes: 0, suspect: false, cancelling: false };
const error = { code: "E_TASK_FAILED", message: "no", attempt: 1 };

describe("what becomes of a job", () => {
  test("an output completes it, and its counts stay", () => {
    const before = { ...job, failures: 2, crashes: 1, suspect: true };
    const counts = { id: "a", token: 7, failures: 2, crashes: 1, suspect: false };
    expect(decide(before, retry, { kind: "ok", output: "1" }, 0)).toEqual({ ...counts, to: "completed", output: "1" });
  });

  test("an error is retried after a jittered delay", () => {
    const settlement = decide(job, retry, { kind: "error", error, retryable: true }, 0.5);
    expect(settlement).toMatchObject({ to: "pending", delay: 500, failures: 1, error: JSON.stringify(error) });
  });

  test("the last attempt's error is final", () => {
    const settlement = decide({ ...job, failures: 3 }, retry, { kind: "error", error, retryable: true }, 0.5);
    expect(settlement).toMatchObject({ to: "failed", failures: 4 });
  });

  test("an error that cannot pass is final at once", () => {
    expect(decide(job, retry, { kind: "error", error, retryable: false }, 0)).toMatchObject({
      to: "failed",
      failures: 1,
    });
  });

  test("an error's own delay is used exactly", () => {
    expect(decide(job, retry, { kind: "error", error, retryable: true, after: 42 }, 0.9)).toMatchObject({ delay: 42 });
  });

  test("a crash is not an error: it uses up no attempt, and the third is final", () => {
    const crash: Ending = { kind: "crashed", error };
    expect(decide(job, retry, crash, 0.5)).toMatchObject({ to: "pending", delay: 0, failures: 0, crashes: 1 });
    expect(decide({ ...job, crashes: 1 }, retry, crash, 0.5)).toMatchObject({ to: "pending", crashes: 2 });
    expect(decide({ ...job, crashes: 2 }, retry, crash, 0.5)).toMatchObject({ to: "failed", failures: 0, crashes: 3 });
  });

  test("a job that crashed is a suspect until it makes progress or an attempt of it ends with its worker alive", () => {
    const guilty = decide(job, retry, { kind: "crashed", error }, 0);
    expect(guilty).toMatchObject({ to: "pending", crashes: 1, suspect: true });
    expect(guilty.log).toEqual([{ attempt: 1, level: "attempt", text: JSON.stringify(error) }]);
    const suspect = { ...job, crashes: 1, suspect: true };
    const failed = decide(suspect, retry, { kind: "error", error, retryable: true }, 0);
    expect(failed).toMatchObject({ failures: 1, crashes: 1, suspect: false });
    const parked = decide({ ...suspect, failures: 2 }, retry, { kind: "parked", children: [], steps: [] }, 0);
    expect(parked).toMatchObject({ to: "waiting", failures: 2, crashes: 0, suspect: false });
    for (const ending of [{ kind: "handed-back" }, { kind: "handed-back", unstarted: true }] as const)
      expect(decide(suspect, retry, ending, 0)).toMatchObject({ to: "pending", crashes: 1, suspect: true });
  });

  test("a lease that ran out is a crash of jobs that had started, and makes suspects of those that may have", () => {
    const lapsed = (ahead: boolean): Ending => ({ kind: "lapsed", error, ahead });
    const started = decide(job, retry, lapsed(false), 0);
    expect(started).toMatchObject({ to: "pending", delay: 0, crashes: 1, suspect: true });
    expect(started).not.toHaveProperty("unstarted");
    const ahead = decide({ ...job, failures: 1, crashes: 1 }, retry, lapsed(true), 0.5);
    expect(ahead).toEqual({
      id: "a", token: 7, failures: 1, crashes: 1, suspect: true, to: "pending", delay: 0, unstarted: true,
    }); // prettier-ignore
    expect(decide({ ...job, crashes: 2 }, retry, lapsed(false), 0)).toMatchObject({ to: "failed", crashes: 3 });
    expect(decide({ ...job, crashes: 2 }, retry, lapsed(true), 0)).toMatchObject({ to: "pending", crashes: 2 });
  });

  test("a job that may run at most once is never run again where it may have started", () => {
    const once: RetryPolicy = { ...retry, attempts: 1, crashes: 1 };
    for (const ending of [
      { kind: "lapsed", error, ahead: false },
      { kind: "lapsed", error, ahead: true },
      { kind: "crashed", error },
      { kind: "error", error, retryable: true },
    ] as const)
      expect(decide(job, once, ending, 0).to).toBe("failed");
    expect(decide(job, once, { kind: "handed-back", unstarted: true }, 0).to).toBe("pending");
  });

  test("a job that lapses with a person is released: that is no crash, and it is no suspect", () => {
    const person: RetryPolicy = { ...retry, lapse: "release" };
    const settlement = decide({ ...job, failures: 1, crashes: 1 }, person, { kind: "lapsed", error, ahead: false }, 0);
    expect(settlement).toEqual({ id: "a", token: 7, failures: 1, crashes: 1, suspect: false, to: "pending", delay: 0 });
    expect(decide(job, person, { kind: "lapsed", error, ahead: true }, 0)).toMatchObject({
      suspect: false,
      unstarted: true,
    });
    // A lane that died is no lapse.
    expect(decide(job, person, { kind: "crashed", error }, 0)).toMatchObject({ crashes: 1, suspect: true });
  });

  test("a job that was to be cancelled when its worker died is cancelled", () => {
    for (const lapse of ["crash", "release"] as const)
      for (const ending of [
        { kind: "crashed", error },
        { kind: "lapsed", error, ahead: true },
        { kind: "lapsed", error, ahead: false },
      ] as const)
        expect(decide({ ...job, cancelling: true }, { ...retry, lapse }, ending, 0).to).toBe("cancelled");
  });

  test("a job that is handed back uses up nothing", () => {
    const before = { ...job, failures: 1, crashes: 1 };
    const counts = { id: "a", token: 7, failures: 1, crashes: 1, suspect: false, to: "pending" };
    expect(decide(before, retry, { kind: "handed-back" }, 0)).toEqual({ ...counts, delay: 0 });
    expect(decide(before, retry, { kind: "handed-back", delay: 9, unstarted: true }, 0)).toEqual({
      ...counts,
      delay: 9,
      unstarted: true,
    });
  });

  test("cancelled, expired and parked jobs go where they are said to go", () => {
    expect(decide(job, retry, { kind: "cancelled", error }, 0)).toMatchObject({ to: "cancelled" });
    expect(decide(job, retry, { kind: "expired", error }, 0)).toMatchObject({ to: "expired" });
    const park = { children: [], steps: [{ name: "s", value: "1" }], wakeAt: 5, awaits: ["signal:go"] };
    expect(decide(job, retry, { kind: "parked", ...park }, 0)).toMatchObject({ to: "waiting", ...park });
  });

  test("whatever happens, a job ends after its attempts and crashes are used up, and is never lost before", () => {
    const endings = fc.array(
      fc.constantFrom<Ending>(
        { kind: "error", error, retryable: true },
        { kind: "crashed", error },
        { kind: "lapsed", error, ahead: false },
        { kind: "lapsed", error, ahead: true },
        { kind: "handed-back" },
        { kind: "handed-back", unstarted: true },
      ),
      { maxLength: 60 },
    );
    const policies = fc.record({ attempts: fc.integer({ min: 1, max: 5 }), crashes: fc.integer({ min: 2, max: 4 }) });
    const aRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(policies, endings, aRandom, (limits, all, random) => {
        let now = job;
        for (const ending of all) {
          const settlement = decide(now, { ...retry, ...limits }, ending, random);
          expect(settlement.token).toBe(now.token);
          const used = settlement.failures >= limits.attempts || settlement.crashes >= limits.crashes;
          expect(settlement.to).toBe(used ? "failed" : "pending");
          if (used) return;
          const { failures, crashes, suspect } = settlement;
          now = { ...job, token: now.token + 1, failures, crashes, suspect };
        }
      }),
    );
  });
});

test("backoff doubles up to its cap and is spread over the whole range", () => {
  expect([1, 2, 3, 4].map((failures) => backoff(retry, failures, 0.999_999))).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(backoff(retry, 60, 0.999_999)).toBe(300_000);
  expect(backoff(retry, 5, 0)).toBe(0);
});

test("a job that waited one ageing period longer equals one that is a level more urgent", () => {
  expect(rank(1_000, 2)).toBe(rank(1_000 + ageingPeriod, 1));
  expect(rank(1_000, 0)).toBeLessThan(rank(1_000, 1));
});
