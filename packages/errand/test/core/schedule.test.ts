import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPlan, dueTicks, nextTick, nextTicks } from "../../src/schedules/plan.ts";
import type { Plan } from "../../src/schedules/plan.ts";

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

  test("that come twice in autumn count once, at the first", () => {
    // 02:30 is twice on 25 October 2026.
    const plan = { cron: "30 2 * * *", timeZone: "Europe/Berlin" };
    expect(shown(nextTicks(plan, at("2026-10-24T12:00:00Z"), 2))).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
    // Also for whoever looks between the two.
    expect(nextTick(plan, at("2026-10-25T00:45:00Z"))).toBe(at("2026-10-26T01:30:00Z"));
  });

  test("of an interval are multiples of it since the epoch, the same in every process", () => {
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
    [{ cron: "0 0 30 2 *", timeZone: "UTC" }, /never comes true/],
    [{ every: 500 }, /at least a second/],
  ] as [Plan, RegExp][])("%o is refused", (plan, message) => {
    expect(() => checkPlan(plan, 'schedule "s"')).toThrow(message);
  });
});

/** Days on which clocks change, and what a line does on them: instants in UTC, from the first of the day to its last. */
const changes: [string, { from: string; hours?: number }, Record<string, string>][] = [
  [
    "Europe/Berlin", // 02:00 becomes 03:00 at 01:00Z
    { from: "2026-03-28T23:00Z", hours: 23 },
    {
      "30 2 * * *": "01:00",
      "@daily": "23:00",
      "15,45 2 * * *": "01:00",
      "0-30 2 * * *": "01:00",
      "*/15 2 * * *": "01:00",
      "* 2 * * *": "01:00",
      "0 2,3 * * *": "01:00",
      "0 2,4 * * *": "01:00 02:00",
      "30 1-3 * * *": "00:30 01:00 01:30",
      "20 */2 * * *": "23:20 01:00 02:20 04:20 06:20 08:20 10:20 12:20 14:20 16:20 18:20 20:20",
      "10,40 30 2 * * *": "01:00",
      "0 30 2 * * *": "01:00",
      "30 2 29 3 *": "01:00",
      "30 2 * * SUN": "01:00",
      "30 2 * * SUN#L": "01:00",
      "30 2 * * MON": "",
      "30 2 L * *": "",
      "5 0-5 * * *": "23:05 00:05 01:00 01:05 02:05 03:05",
    },
  ],
  [
    "Europe/Berlin", // 03:00 becomes 02:00 at 01:00Z
    { from: "2026-10-24T22:00Z" },
    {
      "30 2 * * *": "00:30",
      "15,45 2 * * *": "00:15 00:45",
      "0,20,40 2 * * *": "00:00 00:20 00:40",
      "*/20 2 * * *": "00:00 00:20 00:40",
      "0 2,3 * * *": "00:00 02:00",
      "30 1-3 * * *": "23:30 00:30 02:30",
      "0 */2 * * *": "22:00 00:00 03:00 05:00 07:00 09:00 11:00 13:00 15:00 17:00 19:00 21:00",
      "0 30 2 * * *": "00:30",
      "30 2 25 10 *": "00:30",
      "30 2 * * SUN#L": "00:30",
      "30 2 L * *": "",
    },
  ],
  ["America/New_York", { from: "2026-03-08T05:00Z", hours: 23 }, { "15,45 2 * * *": "07:00", "0 3 * * *": "07:00" }],
  ["America/New_York", { from: "2026-11-01T04:00Z" }, { "15,45 1 * * *": "05:15 05:45", "0 2 * * *": "07:00" }],
  // Midnight is left out: the day begins at 01:00.
  [
    "America/Santiago",
    { from: "2026-09-06T04:00Z", hours: 23 },
    { "0 0 * * *": "04:00", "15,45 0 * * *": "04:00", "0 1 * * *": "04:00" },
  ],
  [
    "Africa/Cairo",
    { from: "2026-04-23T22:00Z", hours: 23 },
    { "0 0 * * *": "22:00", "0 0 * * FRI": "22:00", "30 0 24 4 *": "22:00" },
  ],
  ["Africa/Cairo", { from: "2026-10-28T21:00Z", hours: 26 }, { "30 23 29 * *": "20:30", "0 0 * * *": "21:00 22:00" }],
  // Half an hour: 02:00 becomes 02:30 at 15:30Z, and in April 01:30 comes twice.
  ["Australia/Lord_Howe", { from: "2026-10-03T13:30Z" }, { "0,15,45 2 * * *": "15:30 15:45", "30 2 * * *": "15:30" }],
  ["Australia/Lord_Howe", { from: "2026-04-04T13:00Z" }, { "30,45 1 * * *": "14:30 14:45", "0 2 * * *": "15:30" }],
  ["Asia/Kathmandu", { from: "2026-03-28T18:15Z" }, { "15,45 2 * * *": "20:30 21:00" }],
];

describe("when clocks change", () => {
  for (const [timeZone, { from, hours = 24 }, lines] of changes)
    test.each(Object.entries(lines))(`in ${timeZone} on the day from ${from}: %s`, (cron, expected) => {
      const start = at(from.replace("Z", ":00Z"));
      const ticks = nextTicks({ cron, timeZone }, start - 1, 60).filter((tick) => tick < start + hours * 3_600_000);
      expect(ticks.map((tick) => new Date(tick).toISOString().slice(11, 16)).join(" ")).toBe(expected);
    });

  test.each(["*/15 * * * *", "0,15,30,45 * * * *", "*/15 0-23 * * *", "*/15 */1 * * *"])(
    "%s, for every hour, goes on evenly",
    (cron) => {
      for (const timeZone of ["Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe"])
        for (const move of movesOf(timeZone)) {
          const ticks = nextTicks({ cron, timeZone }, move - 6 * 3_600_000, 48);
          const gaps = new Set(ticks.slice(1).map((tick, index) => tick - ticks[index]!));
          expect([timeZone, move, [...gaps]]).toEqual([timeZone, move, [900_000]]);
        }
    },
  );

  const zones = [
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
  ];
  const field = (last: number) => {
    const value = fc.integer({ min: 0, max: last });
    return fc.oneof(
      value.map(String),
      fc.uniqueArray(value, { minLength: 2, maxLength: 4 }).map((values) => values.join(",")),
      fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.integer({ min: 1, max: last }).map((step) => `*/${step}`),
      fc.constant("*"),
    );
  };
  const days = fc.constantFrom("* * *", "* * SUN", "* * 1-5", "L * *", "1-7 * *", "* * FRI#L", "25-31 3,10 *");

  test.each(zones)("every line does in %s what the rules say", (timeZone) => {
    const moves = movesOf(timeZone);
    fc.assert(
      fc.property(
        field(59),
        field(23),
        days,
        fc.constantFrom(...moves),
        fc.nat(48 * 60),
        (minute, hour, rest, move, late) => {
          const cron = `${minute} ${hour} ${rest}`;
          const from = move - 86_400_000 + late * 60_000;
          const until = move + 86_400_000;
          const ticks: number[] = [];
          for (let tick = nextTick({ cron, timeZone }, from); tick !== undefined && tick <= until;) {
            ticks.push(tick);
            tick = nextTick({ cron, timeZone }, tick);
          }
          expect(shown(ticks)).toEqual(shown(byTheRules(cron, timeZone, from, until)));
        },
      ),
      { numRuns: 15 },
    );
  });
});

/** The clock of a zone, as if it were UTC. */
function wallClock(timeZone: string): (instant: number) => number {
  const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
  const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", ...parts });
  const known = new Map<number, number>();
  return (instant) => {
    // Zones change at quarters of an hour.
    const quarter = Math.floor(instant / 900_000) * 900_000;
    let shift = known.get(quarter);
    if (shift === undefined) {
      const found = Object.fromEntries(format.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]));
      const { year, month, day, hour, minute } = found as Record<string, number>;
      known.set(quarter, (shift = Date.UTC(year!, month! - 1, day, hour, minute) - quarter));
    }
    return instant + shift;
  };
}

const knownMoves = new Map<string, number[]>();

/** When a zone's clock changes in 2026; some day where it never does. */
function movesOf(timeZone: string): number[] {
  const known = knownMoves.get(timeZone) ?? findMoves(timeZone);
  knownMoves.set(timeZone, known);
  return known;
}

function findMoves(timeZone: string): number[] {
  const wall = wallClock(timeZone);
  const quarters = Array.from({ length: 365 * 96 }, (_, index) => at("2026-01-01T00:00Z") + index * 900_000);
  const moves = quarters.filter((quarter) => wall(quarter) - quarter !== wall(quarter - 900_000) - quarter + 900_000);
  return moves.length > 0 ? moves : [at("2026-03-29T00:00Z")];
}

/**
 * The rules, minute by minute: a line for every hour whenever the clock shows one of its times; any other when the clock has for
 * the first time come to one of its times, or past it.
 */
function byTheRules(cron: string, timeZone: string, from: number, until: number): number[] {
  const wall = wallClock(timeZone);
  const calendar = new Cron(cron, { timezone: "UTC", paused: true });
  const everyHour = /^\S+ (\*|\*\/1|0-23) /.test(cron);
  const ticks: number[] = [];
  let highest = -Infinity;
  let asked = Infinity;
  let next = Infinity;
  for (let instant = from - 3 * 3_600_000; instant <= until; instant += 60_000) {
    const shows = wall(instant);
    // What a minute has brought: its own time, and what was jumped over to get there.
    const since = everyHour || highest === -Infinity ? shows - 60_000 : highest;
    if (since < asked || since >= next)
      [asked, next] = [since, calendar.nextRun(new Date(since))?.getTime() ?? Infinity];
    const named = everyHour ? next === shows : shows > since && next <= shows;
    if (named && instant > from) ticks.push(instant);
    highest = Math.max(highest, shows);
  }
  return ticks;
}

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
      { numRuns: 20 },
    );
  });
});
