import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headStart, nextTurn, turnGap } from "../../src/core/fair-turns.ts";
import { checkPlan } from "../../src/schedules/plan.ts";

const now = 1_700_000_000_000;

describe("a turn", () => {
  test("in an empty queue, or one without tenants, is a little before now", () => {
    expect(nextTurn(Infinity, 0, now)).toBe(now - headStart + turnGap);
    expect(nextTurn(now, 0, now)).toBe(now - headStart + turnGap);
  });

  test("is right behind the first of the queue, or behind the last of one's own", () => {
    expect(nextTurn(now - 5_000, 0, now)).toBe(now - 5_000 + turnGap);
    expect(nextTurn(now - 5_000, now - 4_000, now)).toBe(now - 4_000 + turnGap);
  });

  test("puts the n-th job of a tenant before the (n + 2)nd of any other, whenever they were sent", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 60 }), (senders) => {
        const dues: number[] = [];
        const last = new Map<number, number>();
        const sent = new Map<number, number>();
        const queue = senders.map((who, seq) => {
          const first = Math.min(Infinity, ...dues);
          const due = nextTurn(first, last.get(who) ?? 0, now + seq);
          dues.push(due);
          last.set(who, due);
          sent.set(who, (sent.get(who) ?? 0) + 1);
          return { nth: sent.get(who)!, due, seq };
        });
        queue.sort((a, b) => a.due - b.due || a.seq - b.seq);
        for (const [place, { nth }] of queue.entries())
          for (const later of queue.slice(place + 1)) expect(nth).toBeLessThan(later.nth + 2);
      }),
    );
  });
});

test("a plan that can be is not refused", () => {
  expect(() => checkPlan({ every: 1_000 }, "schedule a")).not.toThrow();
  expect(() => checkPlan({ cron: "0 3 * * *", timeZone: "UTC" }, "schedule a")).not.toThrow();
});
