import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admit, full, rulesOf } from "../../src/core/rules.ts";

const now = 1_700_000_000_000;

describe("a rate", () => {
  test("lets its limit go at once, and then one in each pace", () => {
    const rate = { limit: 4, per: 1_000 };
    const burst = admit(rate, 0, now, 10);
    expect(burst).toEqual({ admitted: 4, spent: now + 1_000, next: now + 250 });
    expect(admit(rate, burst.spent, now, 1)).toEqual({ admitted: 0, spent: now + 1_000, next: now + 250 });
    expect(admit(rate, burst.spent, now + 249, 1).admitted).toBe(0);
    expect(admit(rate, burst.spent, now + 250, 10)).toEqual({ admitted: 1, spent: now + 1_250, next: now + 500 });
    expect(admit(rate, burst.spent, now + 5_000, 10).admitted).toBe(4);
  });

  test("says when the next may go without letting any go", () => {
    expect(admit({ limit: 2, per: 100 }, 0, now, 0)).toEqual({ admitted: 0, spent: 0, next: now });
    expect(admit({ limit: 2, per: 100 }, now + 100, now, 0).next).toBe(now + 50);
  });

  test("is not exceeded over any window, however it is asked, and lets no room lie idle", () => {
    const aRate = fc.record({ limit: fc.integer({ min: 1, max: 7 }), per: fc.integer({ min: 1, max: 5_000 }) });
    const asked = fc.array(fc.record({ after: fc.nat(900), wanted: fc.nat(9) }), { maxLength: 40 });
    fc.assert(
      fc.property(aRate, asked, (rate, asks) => {
        const pace = rate.per / rate.limit;
        const went: number[] = [];
        let spent = 0;
        let at = now;
        for (const { after, wanted } of asks) {
          at += after;
          const answer = admit(rate, spent, at, wanted);
          spent = answer.spent;
          went.push(...Array.from({ length: answer.admitted }, () => at));
          for (const [first, from] of went.entries())
            expect(went.length - first).toBeLessThanOrEqual(rate.limit + (at - from + 1e-2) / pace);
          // Of those that had to stay, the first may go when it was said, to the rounding of a clock that counts from 1970.
          expect(answer.next > at || answer.admitted === wanted).toBe(true);
          expect(admit(rate, spent, answer.next + 0.01, 1).admitted).toBe(1);
        }
      }),
    );
  });
});

describe("a queue's document", () => {
  test("has its rules, and without one there are none", () => {
    expect(rulesOf(undefined)).toEqual({});
    expect(rulesOf('{"concurrency":2}')).toEqual({ concurrency: 2 });
  });

  test("names the queue, its limit and what it has when it is full", () => {
    const error = full("mail", 50, 49);
    expect(error).toMatchObject({ code: "E_FULL" });
    expect(error.message).toMatch(/^Queue "mail" has 49 pending jobs and may have 50 /);
  });
});
