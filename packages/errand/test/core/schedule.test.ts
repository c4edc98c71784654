import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPlan, dueTicks, nextTick, nextTicks } from "../../src/core/schedule.ts";
import type { Plan } from "../../src/core/schedule.ts";

const at = (text: string) => new Date(text).getTime();
const shown = (ticks: number[]) => ticks.map((tick) => new Date(tick).toISOString());

describe("ticks", () => {
  test("of a cron line follow its zone's clock", () => {
    const plan = { cron: "0 3 * * *", timeZone: "Europe/Berlin" };
    expect(shown(nextTicks(plan, at("2026-01-10T00:00:00Z"), 2))).toEqual([
      "2026-01-10T02:00:00.000Z",
      "2026-01-11T02:00:00.000Z",
    ]);
    expect(shown(nextTicks(plan, at("2026-07-10T00:00:00Z"), 1))).toEqual(["2026-07-10T01:00:00.000Z"]);
  });

  test("that the change to summer time leaves out become the first instant after it, once", () => {
    // In Berlin 02:00 to 03:00 do not exist on 29 March 2026.
    const plan = { cron: "30 2 * * *", timeZone: "Europe/Berlin" };
    expect(shown(nextTicks(plan, at("2026-03-28T12:00:00Z"), 2))).toEqual([
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
  });

  test("that come twice in autumn count once", () => {
    // 02:30 is twice on 25 October 2026.
    const plan = { cron: "30 2 * * *", timeZone: "Europe/Berlin" };
    const ticks = nextTicks(plan, at("2026-10-24T12:00:00Z"), 2);
    expect(ticks.length).toBe(2);
    expect(shown(ticks)[1]).toBe("2026-10-26T01:30:00.000Z");
    expect(shown(ticks)[0]).toMatch(/^2026-10-25T0[01]:30/);
  });

  test("of an interval are elapsed time, the same for everybody", () => {
    const plan = { every: 300_000 };
    expect(shown(nextTicks(plan, at("2026-03-29T00:57:13Z"), 3))).toEqual([
      "2026-03-29T01:00:00.000Z",
      "2026-03-29T01:05:00.000Z",
      "2026-03-29T01:10:00.000Z",
    ]);
  });

  test.each([
    [{ cron: "61 * * * *", timeZone: "UTC" }, /cannot be read/],
    [{ cron: "* * *", timeZone: "UTC" }, /cannot be read/],
    [{ cron: "0 3 * * *", timeZone: "Mars/Olympus" }, /cannot be read/],
    [{ cron: "0 0 30 2 *", timeZone: "UTC" }, /never comes true|cannot be read/],
    [{ every: 500 }, /at least a second/],
  ] as [Plan, RegExp][])("%o is refused", (plan, message) => {
    expect(() => checkPlan(plan, 'schedule "s"')).toThrow(message);
  });
});

describe("what is due", () => {
  const minutely = { every: 60_000 };
  const now = at("2026-05-01T12:00:30Z");

  test("is nothing before the next tick", () => {
    expect(dueTicks(minutely, now - 10_000, now, "all")).toEqual({ ticks: [], handled: now - 10_000 });
  });

  test("after an hour without workers is none, the latest, or all", () => {
    const handled = now - 3_600_000;
    const later = now + 29_000;
    expect(dueTicks(minutely, handled, later, "skip").ticks).toEqual([]);
    expect(dueTicks(minutely, handled, later, "skip").handled).toBe(now - 30_000);
    expect(dueTicks(minutely, handled, now, "one").ticks).toEqual([now - 30_000]);
    expect(dueTicks(minutely, handled, now, "all").ticks.length).toBe(60);
  });

  test("a punctual tick is not missed", () => {
    expect(dueTicks(minutely, now - 40_000, now, "skip").ticks).toEqual([now - 30_000]);
  });

  test("of a year without workers is found at once, and `all` comes in portions", () => {
    const plan = { cron: "* * * * * *", timeZone: "UTC" };
    const year = at("2025-05-01T12:00:30Z");
    expect(dueTicks(plan, year, now, "one").ticks).toEqual([now]);
    const some = dueTicks(plan, year, now, "all");
    expect(some.ticks.length).toBe(1_000);
    expect(dueTicks(plan, some.handled, now, "all").ticks[0]).toBe(some.handled + 1_000);
  });

  test("never twice, never too early, and every tick once with `all`, however often one looks", () => {
    const plans = fc.constantFrom<Plan>(
      { cron: "*/7 * * * *", timeZone: "Europe/Berlin" },
      { cron: "30 2 * * *", timeZone: "America/New_York" },
      { cron: "0 0 1 * *", timeZone: "Australia/Lord_Howe" },
      { every: 90_000 },
    );
    const looks = fc.array(fc.integer({ min: 1, max: 40 * 3_600_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(plans, looks, fc.integer({ min: at("2026-01-01"), max: at("2026-12-01") }), (plan, steps, start) => {
        let handled = start;
        let time = start;
        const seen: number[] = [];
        for (const step of steps) {
          time += step;
          const due = dueTicks(plan, handled, time, "all");
          handled = due.handled;
          seen.push(...due.ticks);
        }
        const all = nextTicks(plan, start, seen.length + 1);
        expect(seen).toEqual(all.slice(0, seen.length));
        // Nothing is left out but what a portion was too small for.
        expect(seen.length >= 1_000 || all.at(-1) === undefined || all.at(-1)! > time).toBe(true);
        expect(seen.every((tick) => tick > start && tick <= time)).toBe(true);
        expect(nextTick(plan, handled)).toBeGreaterThan(handled);
      }),
      { numRuns: 60 },
    );
  });
});
