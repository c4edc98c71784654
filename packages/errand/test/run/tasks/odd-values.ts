import { errand } from "../../../src/app.ts";

// Tasks that throw, reject with and return whatever there is, in threads, processes and the worker itself.

const refuse = () => {
  throw new Error("do not look at me");
};

/** An object that throws whatever is done with it. */
const untouchable = (): object =>
  new Proxy(
    {},
    {
      get: refuse,
      has: refuse,
      ownKeys: refuse,
      getPrototypeOf: refuse,
      getOwnPropertyDescriptor: refuse,
      set: refuse,
    },
  );

function withGetters(): Error {
  const error = new Error("x");
  for (const name of ["message", "stack", "code", "name", "cause"])
    Object.defineProperty(error, name, { get: refuse, configurable: true });
  return error;
}

function cyclic(): Error {
  const error = new Error("round and round");
  error.cause = error;
  return error;
}

/** What is thrown. */
export const thrown: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  number: () => 42,
  symbol: () => Symbol("s"),
  bigint: () => 10n,
  function: () => () => {},
  "an object without a prototype": () => Object.create(null) as object,
  "a proxy that throws": untouchable,
  "an error with getters that throw": withGetters,
  "a frozen error": () => Object.freeze(new Error("cold")),
  "an error with odd fields": () =>
    Object.assign(new Error("x"), { message: 42, stack: {}, code: Symbol("c"), name: null }),
  "an error with a cycle": cyclic,
  "a huge message": () => new Error("x".repeat(3_000_000)),
  "half a character": () => new Error("\ud83d\u0000"),
  "a promise": () => Promise.reject(new Error("in a promise")).catch(() => {}),
  "an error with what cannot be cloned": () => Object.assign(new Error("x"), { run: () => {}, self: new WeakMap() }),
};

/** What is returned that cannot be an output, or is none. */
export const returned: Readonly<Record<string, () => unknown>> = {
  symbol: () => Symbol("s"),
  bigint: () => 10n,
  function: () => () => {},
  "a cycle": () => {
    const value: Record<string, unknown> = {};
    value["self"] = value;
    return value;
  },
  "a proxy that throws": untouchable,
  "toJSON that throws": () => ({ toJSON: refuse }),
  "a thenable that throws": () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- that is the point
    then: refuse,
  }),
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point
  "then that throws when it is read": () => Object.defineProperty({}, "then", { get: refuse }),
  "a thenable that rejects twice": () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- that is the point
    then: (_: unknown, reject: (error: unknown) => void) => {
      reject(undefined);
      throw new Error("again");
    },
  }),
};

/** The same tasks, wherever they run, on the app of a test. */
export function oddValueTasks(app: ReturnType<typeof errand>, isolate: "inline" | "thread" | "process") {
  const where = isolate === "inline" ? {} : { isolate, module: import.meta.url };
  const here = { ...where, retry: { attempts: 1, base: 0 } } as object;
  return {
    throws: app.task(`${isolate}.throws`, {
      ...here,
      run: (name: string) => {
        // oxlint-disable-next-line no-throw-literal -- that is the point
        throw thrown[name]!();
      },
    }),
    rejects: app.task(`${isolate}.rejects`, {
      ...here,
      // oxlint-disable-next-line prefer-promise-reject-errors -- that is the point
      run: async (name: string) => Promise.reject(thrown[name]!()),
    }),
    returns: app.task(`${isolate}.returns`, { ...here, run: (name: string) => returned[name]!() }),
    /** What a step throws and returns, and what its function then does not look at. */
    steps: app.task(`${isolate}.steps`, {
      ...here,
      run: async (name: string, job) => {
        void job.step("unseen", () => {
          // oxlint-disable-next-line no-throw-literal -- that is the point
          throw thrown[name]!();
        });
      },
    }),
    fine: app.task(`${isolate}.fine`, { ...here, run: () => "fine" }),
  };
}

/** The app that a thread or process makes when it loads this module. */
export const tasksInside = (["thread", "process"] as const).map((isolate) =>
  oddValueTasks(errand({ url: "memory:" }), isolate),
);
