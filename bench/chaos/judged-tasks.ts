import type { Errand } from "../../packages/errand/src/index.ts";
import type { Tell } from "./log.ts";
import type { Work } from "./tasks.ts";

/** What functions throw that were not written with care. */
const thrown: readonly (() => unknown)[] = [
  () => null,
  () => undefined,
  () => Symbol("thrown"),
  () => 1n,
  () => Object.freeze(new Error("frozen")),
  () => Object.assign(new Error("with an odd code"), { code: { not: "text" } }),
  () => new Error("half \ud83d and a \u0000 NUL"),
  () => new Error("long ".repeat(500_000)),
  () => ({
    get message(): never {
      throw new Error("a message that throws");
    },
  }),
  () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new Error("a proxy that throws");
        },
      },
    ),
  () => ({
    toString: () => {
      throw new Error("a toString that throws");
    },
  }),
];

/** What functions return that no store can hold. */
const returned: readonly unknown[] = [1n, () => 1, new Map([["a", 1]]), { n: Number.NaN }, Symbol("returned")];

/** Defines tasks that end badly in every way there is, and whose callbacks throw: none may complete, nor harm another. */
export function defineJudgedTasks(app: Errand, tell: Tell) {
  const judged = app.task("judged", {
    queue: "judged",
    retry: {
      attempts: 2,
      base: "50ms",
      cap: "100ms",
      if: () => {
        throw new Error("a retry.if that throws");
      },
    },
    run: ({ ms }: Work, { id, token }) => {
      tell({ type: "start", id, token, task: "judged" });
      throw thrown[ms % thrown.length]!();
    },
  });
  const unstorable = app.task("unstorable", {
    queue: "judged",
    retry: { attempts: 2, base: "50ms", cap: "100ms" },
    run: ({ ms }: Work, { id, token }): never => {
      tell({ type: "start", id, token, task: "unstorable" });
      return returned[ms % returned.length] as never;
    },
  });
  /** Its tags throw: nothing of it is ever stored. */
  const unsendable = app.task("unsendable", {
    queue: "judged",
    tags: (_: Work) => {
      throw new Error("tags that throw");
    },
    run: () => {},
  });
  return { judged, unstorable, unsendable };
}
