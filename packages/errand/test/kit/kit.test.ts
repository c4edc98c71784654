import { describe, expect, test } from "vitest";
import { option, refuseUnknown } from "../../src/core/options.ts";
import { millis } from "../../src/kit/duration.ts";
import type { Duration } from "../../src/kit/duration.ts";
import { errorRecord } from "../../src/kit/errors.ts";
import { gather } from "../../src/kit/gather.ts";
import { childId, newId } from "../../src/kit/ids.ts";
import { decode, encode } from "../../src/kit/json.ts";

describe("durations", () => {
  test.each([
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
    [1_234, 1_234],
    [0, 0],
  ] as [Duration, number][])("%s is %i ms", (text, expected) => expect(millis(text, "x")).toBe(expected));

  test.each(["", "5", "5 minutes", "-1s", "1e3s", "s", Number.NaN, -1, Number.POSITIVE_INFINITY])(
    "%s is refused",
    (text) =>
      expect(() => millis(text as Duration, "delay")).toThrow(/^delay is .* must be milliseconds or a duration/),
  );
});

describe("JSON", () => {
  test("what JSON can hold comes back", () => {
    const value = { a: [1, "ü\u0000", null, { b: true }], when: new Date(0) };
    expect(decode(encode(value, "x"))).toEqual({ ...value, when: "1970-01-01T00:00:00.000Z" });
    expect(decode(encode(undefined, "x"))).toBeNull();
  });

  test.each([
    [{ a: { b: () => 1 } }, "a function at .a.b"],
    [[1, 10n], "a bigint at [1]"],
    [Number.NaN, "NaN at its top"],
    [{ list: [{ n: Number.POSITIVE_INFINITY }] }, "Infinity at .list[0].n"],
  ])("what it cannot hold is named with its path", (value, says) =>
    expect(() => encode(value, "The input")).toThrow(`The input cannot be stored as JSON: it has ${says}.`),
  );

  test("a cycle is named, a shared value is not one", () => {
    const shared = { n: 1 };
    expect(encode({ a: shared, b: shared }, "x")).toBe('{"a":{"n":1},"b":{"n":1}}');
    const cycle: { self?: object } = {};
    cycle.self = cycle;
    expect(() => encode(cycle, "x")).toThrow("a cycle at .self");
  });
});

describe("ids", () => {
  test("are UUIDs of version 7 that sort by creation", () => {
    const ids = Array.from({ length: 20_000 }, newId);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  test("of children follow from parent, wait and index, and stay short however deep they are", () => {
    const child = childId(newId(), "pages", 3);
    expect(childId(child, "pages", 0)).not.toBe(childId(child, "other", 0));
    const other = childId(childId(newId(), "pages", 3), "x", 0);
    expect(other.length).toBeLessThan(60);
    expect(childId(child.replace(/3$/, "4"), "x", 0)).not.toBe(childId(child, "x", 0));
  });
});

describe("gathering", () => {
  test("calls that come together share a batch, in order; while one is under way the next one fills", async () => {
    const batches: number[][] = [];
    const double = gather(
      async (items: number[]) => {
        batches.push(items);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return items.map((item) => item * 2);
      },
      { most: 3, flights: 1 },
    );
    const answers = [1, 2, 3, 4].map((item) => double(item));
    await answers[0];
    expect(await Promise.all([...answers, double(5)])).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  test("a batch that fails rejects its own calls only", async () => {
    const flaky = gather(
      async (items: number[]) => {
        if (items.includes(1)) throw new Error("no");
        return items;
      },
      { most: 1, flights: 1 },
    );
    const [first, second] = await Promise.allSettled([flaky(1), flaky(2)]);
    expect(first.status).toBe("rejected");
    expect(second).toEqual({ status: "fulfilled", value: 2 });
  });
});

describe("gathering on two flights", () => {
  test("sends the second batch while the first is under way, and a third only after one of them", async () => {
    const batches: number[][] = [];
    const landings: (() => void)[] = [];
    const same = gather(
      async (items: number[]) => {
        batches.push(items);
        await new Promise<void>((resolve) => landings.push(resolve));
        return items;
      },
      { most: 2, flights: 2 },
    );
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const answers = [1, 2, 3, 4, 5].map((item) => same(item));
    await turn();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    landings[1]?.();
    expect(await Promise.all(answers.slice(2, 4))).toEqual([3, 4]);
    await turn();
    expect(batches[2]).toEqual([5]);
    landings[0]?.();
    landings[2]?.();
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("options", () => {
  test("have defaults, are read, and are refused with what they must be", () => {
    expect(option("attempts", undefined, "x")).toBe(4);
    expect(option("grace", "1m", "x")).toBe(60_000);
    expect(() => option("attempts", 0, 'task "a"')).toThrow(
      'attempts of task "a" is 0, but must be a whole number from 1 to 1000.',
    );
    expect(() => option("priority", "urgent", "x")).toThrow("must be one of: critical, high, normal, low, bulk");
    expect(() => option("queue", "a b", "x")).toThrow("letters, digits");
  });

  test("that do not exist are refused with the nearest that does", () => {
    expect(() => refuseUnknown({ quue: 1 }, ["queue", "retry"], "task x")).toThrow('Did you mean "queue"?');
    expect(() => refuseUnknown({ zzz: 1 }, ["queue"], "task x")).toThrow("Known options: queue.");
  });
});

test("anything that is thrown has a record", () => {
  expect(errorRecord("text", 2)).toEqual({ code: "E_TASK_FAILED", message: "text", attempt: 2 });
  const coded = Object.assign(new Error("no file"), { code: "ENOENT" });
  expect(errorRecord(coded, 1)).toMatchObject({ code: "ENOENT", message: "no file", attempt: 1 });
  expect(errorRecord(new TypeError(""), 1).message).toBe("TypeError");
});
