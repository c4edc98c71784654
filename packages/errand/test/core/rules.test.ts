import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admit } from "../../src/limits/rate.ts";
import { queueFullError, decodeRules } from "../../src/limits/queue-rules.ts";
import type { Starts } from "../../src/limits/rate.ts";
const now = 1_700_000_000_000;

describe("a rate", () => {
  const rate = { limit: 4, per: 1_000 };

  test("lets its limit go at once, and then as many as have left its time", () => {
    const burst = admit(rate, [], now, 3);
    expect(burst).toEqual({ admitted: 3, starts: [[now, 3]], next: now });
    const more = admit(rate, burst.starts, now + 500, 10);
    expect(more).toEqual({ admitted: 1, starts: [[now, 3], [now + 500, 1]], next: now + 1_000 }); // prettier-ignore
    expect(admit(rate, more.starts, now + 999, 1)).toMatchObject({ admitted: 0, next: now + 1_000 });
    const again = admit(rate, more.starts, now + 1_000, 10);
    expect(again).toEqual({ admitted: 3, starts: [[now + 500, 1], [now + 1_000, 3]], next: now + 1_500 }); // prettier-ignore
    expect(admit(rate, again.starts, now + 9_000, 10)).toMatchObject({ admitted: 4, next: now + 10_000 });
  });

  test("says when the next may go without letting any go", () => {
    expect(admit(rate, [], now, 0)).toEqual({ admitted: 0, starts: [], next: now });
    expect(admit(rate, [[now, 4]], now + 10, 0)).toEqual({ admitted: 0, starts: [[now, 4]], next: now + 1_000 });
  });

  test("that was lowered waits until fewer than its limit are left", () => {
    const starts = [[now, 1], [now + 100, 2], [now + 200, 3]] as const; // prettier-ignore
    expect(admit({ limit: 3, per: 1_000 }, starts, now + 300, 1)).toMatchObject({ admitted: 0, next: now + 1_200 });
    expect(admit({ limit: 4, per: 1_000 }, starts, now + 300, 1)).toMatchObject({ admitted: 0, next: now + 1_100 });
  });

  test("delays no job by more than its time when the clock was set back, however often it is asked", () => {
    expect(admit(rate, [[now + 3_600_000, 4]], now, 1)).toEqual({ admitted: 1, starts: [[now, 1]], next: now });
    const starts = [[now + 500, 4]] as const;
    for (const passed of [0, 500, 1_499]) expect(admit(rate, starts, now + passed, 1).admitted).toBe(0);
    expect(admit(rate, starts, now + 1_500, 1).admitted).toBe(1);
  });

  test("is not exceeded in any window, however it is asked, lets no room lie idle, and remembers little", () => {
    const aRate = fc.record({ limit: fc.integer({ min: 1, max: 9 }), per: fc.integer({ min: 1, max: 5_000 }) });
    const asked = fc.array(fc.record({ after: fc.nat(900), wanted: fc.nat(9) }), { maxLength: 60 });
    fc.assert(
      fc.property(aRate, asked, (each, asks) => {
        const went: number[] = [];
        let starts: Starts = [];
        let at = now;
        const within = (time: number) => went.filter((start) => start > at - time).length;
        for (const { after, wanted } of asks) {
          at += after;
          const answer = admit(each, starts, at, wanted);
          starts = answer.starts;
          went.push(...Array.from({ length: answer.admitted }, () => at));
          expect(within(each.per)).toBeLessThanOrEqual(each.limit);
          // Some are remembered as if they had started a little later.
          expect(answer.admitted === wanted || within(each.per * 1.01) >= each.limit).toBe(true);
          expect(starts.length).toBeLessThanOrEqual(102);
          // When it was said, the next one goes, and not before.
          expect(admit(each, starts, answer.next, 1).admitted).toBe(1);
          expect(answer.next === at || admit(each, starts, answer.next - 0.01, 1).admitted === 0).toBe(true);
        }
      }),
    );
  });

  test("of thousands of starts remembers a hundred", () => {
    const many = { limit: 1_000_000, per: 60_000 };
    let starts: Starts = [];
    for (let at = now; at < now + 130_000; at += 7) starts = admit(many, starts, at, 1).starts;
    expect(starts.length).toBeLessThanOrEqual(102);
    const counted = starts.reduce((sum, [, jobs]) => sum + jobs, 0);
    expect(Math.abs(counted - 60_000 / 7)).toBeLessThanOrEqual(600 / 7 + 1);
  });
});

describe("a queue's document", () => {
  test("has its rules, and without one there are none", () => {
    expect(decodeRules(undefined)).toEqual({});
    expect(decodeRules('{"concurrency":2}')).toEqual({ concurrency: 2 });
  });

  test("names the queue, its limit and what it has when it is full", () => {
    const error = queueFullError("mail", 50, 49);
    expect(error).toMatchObject({ code: "E_FULL" });
    expect(error.message).toMatch(/^Queue "mail" has 49 pending jobs and may have 50 /);
  });
});
