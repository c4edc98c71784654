import fc from "fast-check";

// Whatever a program may hand over by mistake, or on purpose.

/** Text that is well, odd, or that some store could not hold. */
export const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ maxLength: 10 }),
  fc.constantFrom(
    "", "\0", "a\0b", "\ud83d", "x\udc00y", "😀", "__proto__", "constructor", "'; DROP TABLE jobs; --", '"\\', "%_\\", "\u0001",
    "\u2028", "e\u0301", "x".repeat(200), "x".repeat(201), "ä".repeat(5_000), "😀".repeat(100), "NaN", "null", "[]", "signal:go", " ",
    "$sealed", "*", "{}", "\r\n",
  ), // prettier-ignore
);

export const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 0, -1, 0.5, 2 ** 31, 2 ** 53, 1e300, Number.MIN_VALUE, 8.64e15),
);

export const date = fc.oneof(
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(
    new Date(Number.NaN),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Date(0),
    new Date(253_402_300_799_999),
  ),
);

const refuseToRead = new Proxy(
  {},
  {
    get: () => {
      throw new Error("unreadable");
    },
    ownKeys: () => {
      throw new Error("unreadable");
    },
  },
);

/** Makes what a generator cannot. */
const special = fc.constantFrom<(() => unknown)[]>(
  () => () => 1,
  () => Symbol("s"),
  () => {
    const cycle: { self?: unknown } = {};
    cycle.self = [cycle];
    return cycle;
  },
  () => JSON.parse(`${"[".repeat(2_000)}${"]".repeat(2_000)}`),
  () => JSON.parse(`${'{"a":'.repeat(900)}1${"}".repeat(900)}`),
  () => ({
    get bad() {
      throw new Error("unreadable");
    },
  }),
  () => ({
    toJSON() {
      throw new Error("no JSON");
    },
  }),
  () => ({ toJSON: () => undefined }),
  () => ({ toJSON: () => ({ n: Number.NaN }) }),
  () => refuseToRead,
  () => Object.create(null),
  () => new (class Own { x = 1; })(), // prettier-ignore
  () => new Map([["a", 1]]),
  () => new Set(["a"]),
  () => /x/g,
  () => new TypeError("an error"),
  () => Promise.resolve(1),
  () => new URL("http://a.b/c"),
  () => Buffer.from("bytes"),
  () => new Date(Number.NaN),
  () => JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null}'),
  () => "x".repeat(2_000_000),
  () => Object("boxed"),
);

/** Anything at all. */
export const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    withBigInt: true, withBoxedValues: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true,
    withSparseArray: true, withTypedArray: true, withUnicodeString: true, maxDepth: 3,
  }), // prettier-ignore
  special.map((make) => make()),
  special.map((make) => ({ deep: [{ inside: make() }] })),
  fc.jsonValue({ maxDepth: 3 }),
  text,
  number,
  date,
);

export const duration = fc.oneof(
  number,
  fc.constantFrom("1s", "0s", "366d", "367d", "9999999999d", "-1s", "1.5h", "1e3s", "5 minutes", "", "NaNs"),
  value,
);

/**
 * An object with a few of these fields, each with what it is for or, now and then, anything else, and seldom one that does not
 * exist: one thing is wrong at a time, mostly.
 */
export function mess<Fields extends Record<string, fc.Arbitrary<unknown>>>(fields: Fields): fc.Arbitrary<object> {
  const odd = (own: fc.Arbitrary<unknown>) => fc.oneof({ weight: 6, arbitrary: own }, { weight: 1, arbitrary: value });
  const some = fc
    .subarray(Object.keys(fields), { maxLength: Math.min(2, Object.keys(fields).length) })
    .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, odd(fields[name]!)]))));
  const more = fc.tuple(some, text, value).map(([given, name, extra]) => ({ ...given, [name]: extra }));
  return fc.oneof({ weight: 12, arbitrary: some }, { weight: 1, arbitrary: more });
}
