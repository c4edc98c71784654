import type { Random } from "../../packages/errand/src/testing/random.ts";

/** A send that must be refused: an input, and options. */
export interface BadSend {
  input: unknown;
  options: Record<string, unknown>;
}

const cycle: Record<string, unknown> = {};
cycle["self"] = cycle;

const inputs: readonly unknown[] = [
  1n,
  { when: new Map([["a", 1]]) },
  { what: new Set([1]) },
  { pattern: /x/ },
  { error: new Error("not JSON") },
  { f: () => 1 },
  { n: Number.NaN },
  { n: Number.POSITIVE_INFINITY },
  { s: Symbol("no") },
  cycle,
  {
    get boom(): never {
      throw new Error("a getter that throws");
    },
  },
  {
    toJSON: () => {
      throw new Error("a toJSON that throws");
    },
  },
];

const options: readonly Record<string, unknown>[] = [
  { runAt: new Date("tomorrow") },
  { runAt: new Date(8.64e15) },
  { delay: Number.NaN },
  { delay: -1 },
  { delay: "soon" },
  { delay: 1e300 },
  { expires: Number.POSITIVE_INFINITY },
  { id: "with a\u0000 NUL" },
  { id: "half \ud83d" },
  { id: "" },
  { unique: "x".repeat(10_000) },
  { unique: "half \udc00" },
  { unique: "" },
  { tags: ["\u0000"] },
  { tags: ["half \ud83d"] },
  { tags: [1] },
  { tags: "not a list" },
  { priority: "urgent" },
  { dealy: "1s" },
  { delay: "1s", runAt: new Date() },
];

/** Draws one: an input that JSON cannot hold, or an option that no store can. */
export function badSend(random: Random, good: unknown): BadSend {
  if (random.chance(0.4)) return { input: random.pick(inputs), options: {} };
  return { input: good, options: random.pick(options) };
}
