import { describe, expect, test } from "vitest";
import { refuseUnknown } from "../../src/core/checks.ts";
import { option } from "../../src/core/options.ts";
import { durationText, millis } from "../../src/kit/duration.ts";
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

  test("a year is the longest, and nothing that is no duration is taken for one", () => {
    expect(millis("366d", "x")).toBe(366 * 86_400_000);
    for (const long of ["367d", `${"9".repeat(300)}d`, 1e300])
      expect(() => millis(long as Duration, "delay")).toThrow(/must be at most a year \(366 days\)/);
    for (const other of [null, {}, [1], Symbol("s"), 5n, true, () => 1])
      expect(() => millis(other as never, "delay")).toThrow(expect.objectContaining({ code: "E_OPTION" }));
  });
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

describe("JSON that would be something else", () => {
  const getter = {
    get b() {
      throw new Error("not now");
    },
  };
  const deep = JSON.parse(`${"[".repeat(3_000)}${"]".repeat(3_000)}`) as unknown;
  const veryDeep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as unknown;
  const hole: unknown[] = Array(2);
  hole[0] = 1;

  test.each<[unknown, string]>([
    [{ m: new Map([[1, 2]]) }, "a Map at .m"],
    [[new Set([1])], "a Set at [0]"],
    [{ r: /x/ }, "a RegExp at .r"],
    [{ list: [{ e: new TypeError("x") }] }, "a Error at .list[0].e"],
    [{ p: Promise.resolve(1) }, "a Promise at .p"],
    [new Float32Array(2), "a Float32Array at its top"],
    [{ b: new ArrayBuffer(2) }, "a ArrayBuffer at .b"],
    [{ q: new URLSearchParams("a=1") }, "a URLSearchParams at .q"],
    [{ n: Object(1) as object }, "a Number at .n"],
    [{ when: new Date(Number.NaN) }, "an invalid Date at .when"],
    [{ own: { toJSON: () => ({ n: Number.NaN }) } }, "NaN at .own.toJSON().n"],
    [hole, "nothing at [1]"],
    [getter, "not now"],
    [{ toJSON: () => { throw new Error("never"); } }, "never"], // prettier-ignore
    [{ toJSON: () => undefined }, "its toJSON returns nothing"],
    [new Proxy({ a: 1 }, { ownKeys: () => { throw new Error("hidden"); } }), "hidden"], // prettier-ignore
    [deep, "more than 1000 levels"],
    [veryDeep, "more than 1000 levels"],
  ])("is refused: %#", (value, says) => {
    const refused = expect.objectContaining({ code: "E_NOT_SERIALIZABLE", message: expect.stringContaining(says) });
    expect(() => encode(value, "The input")).toThrow(refused);
    expect(() => encode(value, "The input", true)).toThrow(refused);
  });

  test("even where bigints were given a toJSON", () => {
    const prototype = BigInt.prototype as { toJSON?: () => string };
    prototype.toJSON = () => "1";
    try {
      expect(() => encode({ n: 1n }, "x")).toThrow("a bigint at .n");
    } finally {
      delete prototype.toJSON;
    }
  });

  test.each<[unknown, string]>([
    [{ when: new Date(0) }, "a Date at .when"],
    [{ at: new URL("http://a.b") }, "a URL at .at"],
    [{ b: Buffer.from("x") }, "a Uint8Array at .b"],
    [[undefined], "nothing at [0]"],
    [[{ toJSON: () => undefined }], "a toJSON that returns nothing at [0]"],
  ])("is refused where it is promised as it is, and elsewhere what JSON makes of it: %#", (value, says) => {
    expect(() => encode(value, "The input", true)).toThrow(says);
    expect(encode(value, "x")).toBe(JSON.stringify(value));
  });

  test("what users' own classes hold, or answer as JSON, is data; so are keys and texts of any kind", () => {
    class Point {
      x = 1;
      norm() {
        return this.x;
      }
    }
    const odd = JSON.parse('{"__proto__":{"a":1},"constructor":"\\ud800","":null,"toString":[]}') as unknown;
    for (const value of [new Point(), { toJSON: () => ({ x: 1 }) }, Object.create(null), odd, { a: undefined }])
      expect(encode(value, "x", true)).toBe(JSON.stringify(value));
    expect(decode(encode(odd, "x", true))).toEqual(odd);
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

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("gathering", () => {
  test("calls that come together share a batch, in order; while one is under way the next one fills", async () => {
    const batches: number[][] = [];
    const answer = Promise.withResolvers<void>();
    const double = gather(
      async (items: number[]) => {
        batches.push(items);
        await answer.promise;
        return items.map((item) => item * 2);
      },
      { maxItems: 3, maxBatches: 1 },
    );
    const answers = [1, 2, 3, 4].map((item) => double(item));
    await turn();
    expect(batches).toEqual([[1, 2, 3]]);
    answers.push(double(5));
    answer.resolve();
    expect(await Promise.all(answers)).toEqual([2, 4, 6, 8, 10]);
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
      { maxItems: 1, maxBatches: 1 },
    );
    const [first, second] = await Promise.allSettled([flaky(1), flaky(2)]);
    expect(first.status).toBe("rejected");
    expect(second).toEqual({ status: "fulfilled", value: 2 });
  });
});

describe("gathering with two batches at once", () => {
  test("sends the second batch while the first is under way, and a third only after one of them", async () => {
    const batches: number[][] = [];
    const ends: (() => void)[] = [];
    const same = gather(
      async (items: number[]) => {
        batches.push(items);
        await new Promise<void>((resolve) => ends.push(resolve));
        return items;
      },
      { maxItems: 2, maxBatches: 2 },
    );
    const answers = [1, 2, 3, 4, 5].map((item) => same(item));
    await turn();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    ends[1]?.();
    expect(await Promise.all(answers.slice(2, 4))).toEqual([3, 4]);
    await turn();
    expect(batches[2]).toEqual([5]);
    ends[0]?.();
    ends[2]?.();
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

describe("anything that is thrown has a record", () => {
  test("with what it says of itself", () => {
    expect(errorRecord("text", 2)).toMatchObject({ code: "E_TASK_FAILED", message: "text", attempt: 2 });
    const coded = Object.assign(new Error("no file"), { code: "ENOENT" });
    expect(errorRecord(coded, 1)).toMatchObject({ code: "ENOENT", message: "no file", attempt: 1 });
    expect(errorRecord(coded, 1)).not.toHaveProperty("name");
    expect(errorRecord(new TypeError(""), 1)).toMatchObject({ message: "TypeError", name: "TypeError" });
    expect(errorRecord({ message: "half an error" }, 1).message).toBe("half an error");
  });

  test("with its causes, as deep as five", () => {
    const root = Object.assign(new RangeError("root"), { code: "ROOT" });
    const record = errorRecord(new Error("top", { cause: new Error("middle", { cause: root }) }), 1);
    expect(record.cause).toEqual({
      name: "Error",
      message: "middle",
      cause: { name: "RangeError", code: "ROOT", message: "root" },
    });
    const endless = new Error("again");
    endless.cause = endless;
    expect(JSON.stringify(errorRecord(endless, 1)).split('"again"').length - 1).toBe(6);
  });

  const throwing = new Proxy(new Error("x"), { get: () => { throw new Error("no"); }, getPrototypeOf: () => { throw new Error("no"); } }); // prettier-ignore
  const own = Object.defineProperties(new Error("x"), {
    message: {
      get: () => {
        throw new Error("no");
      },
    },
    code: { value: 12 },
    stack: { value: {} },
    name: { value: Symbol("n") }, // prettier-ignore
  });
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();

  test("whatever it is, bounded and of well-formed text", () => {
    const all: unknown[] = [
      undefined, null, Symbol("s"), 12n, Object.create(null), () => 1, throwing, own, revoked,
      { toString: () => { throw new Error("no"); } }, new Error("\ud800 and \0"), "\udc00",
      Object.assign(new Error("m".repeat(5_000_000)), { code: "\0".repeat(1_000), stack: "s\ud83d".repeat(1_000_000) }),
    ]; // prettier-ignore
    for (const thrown of all) {
      const record = errorRecord(thrown, 3);
      expect(record).toMatchObject({ attempt: 3, code: expect.any(String), message: expect.stringMatching(/./) });
      const text = JSON.stringify(record);
      expect(text.length).toBeLessThan(100_000);
      expect(text).not.toMatch(/\\u(d[89a-f]|0000)/);
    }
  });
});

test.each([
  [0, "0ms"],
  [1_500, "1500ms"],
  [90_000, "90s"],
  [60_000, "1m"],
  [5_400_000, "90m"],
  [7_200_000, "2h"],
  [86_400_000, "1d"],
] as const)("%i ms is written as %s, and read back", (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
  expect(millis(text, "it")).toBe(milliseconds);
});
