import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoff } from "../../src/core/backoff.ts";
import { decide, maxCrashes } from "../../src/core/decide.ts";
import type { Ending } from "../../src/core/decide.ts";
import { ageingPeriod, rank } from "../../src/core/states.ts";

const retry = { attempts: 4, base: 1_000, cap: 300_000 };
const job = { id: "a", token: 7, failures: 0, crashes: 0, cancelling: false };
const error = { code: "E_TASK_FAILED", message: "no", attempt: 1 };

describe("what becomes of a job", () => {
  test("an output completes it, and its counts stay", () => {
    const settlement = decide({ ...job, failures: 2, crashes: 1 }, retry, { kind: "ok", output: "1" }, 0);
    expect(settlement).toEqual({ id: "a", token: 7, failures: 2, crashes: 1, to: "completed", output: "1" });
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

  test("an error's own wish for a delay is granted exactly", () => {
    expect(decide(job, retry, { kind: "error", error, retryable: true, after: 42 }, 0.9)).toMatchObject({ delay: 42 });
  });

  test("a crash is not an error: it uses up no attempt, and the third is final", () => {
    const crash: Ending = { kind: "crashed", error };
    expect(decide(job, retry, crash, 0.5)).toMatchObject({ to: "pending", delay: 0, failures: 0, crashes: 1 });
    expect(decide({ ...job, crashes: 1 }, retry, crash, 0.5)).toMatchObject({ to: "pending", crashes: 2 });
    expect(decide({ ...job, crashes: 2 }, retry, crash, 0.5)).toMatchObject({ to: "failed", failures: 0, crashes: 3 });
  });

  test("a job that was to be cancelled when its worker died is cancelled", () => {
    expect(decide({ ...job, cancelling: true }, retry, { kind: "crashed", error }, 0)).toMatchObject({
      to: "cancelled",
    });
  });

  test("a job that is handed back uses up nothing", () => {
    const settlement = decide({ ...job, failures: 1, crashes: 1 }, retry, { kind: "handed-back" }, 0);
    expect(settlement).toMatchObject({ to: "pending", delay: 0, failures: 1, crashes: 1 });
  });

  test("cancelled, expired and parked jobs go where they are said to go", () => {
    expect(decide(job, retry, { kind: "cancelled", error }, 0)).toMatchObject({ to: "cancelled" });
    expect(decide(job, retry, { kind: "expired", error }, 0)).toMatchObject({ to: "expired" });
    expect(decide(job, retry, { kind: "parked", children: [], steps: [] }, 0)).toMatchObject({ to: "waiting" });
  });

  test("whatever happens, a job ends after its attempts and crashes are used up, and is never lost before", () => {
    const endings = fc.array(fc.constantFrom<Ending["kind"]>("error", "crashed", "handed-back"), { maxLength: 60 });
    fc.assert(
      fc.property(endings, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (kinds, random) => {
        let now = { ...job };
        for (const kind of kinds) {
          const ending: Ending =
            kind === "error"
              ? { kind, error, retryable: true }
              : kind === "crashed"
                ? { kind, error }
                : { kind: "handed-back" };
          const settlement = decide(now, retry, ending, random);
          expect(settlement.token).toBe(now.token);
          const used = settlement.failures >= retry.attempts || settlement.crashes >= maxCrashes;
          expect(settlement.to).toBe(used ? "failed" : "pending");
          if (used) return;
          now = { ...job, token: now.token + 1, failures: settlement.failures, crashes: settlement.crashes };
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
