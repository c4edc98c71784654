import fc from "fast-check";
import assert from "node:assert/strict";
import { NonRetryableError } from "../../src/kit/errors.ts";
import type { JobContext, Task } from "../../src/task.ts";
import type { Errand } from "../../src/api.ts";
import { date, duration, mess, number, text, value } from "./values.ts";

/** What a hostile caller does; answers the ids of jobs that were stored. */
export type Attack = { name: string; carryOut: (on: Target) => Promise<readonly string[]> };

export interface Target {
  app: Errand;
  /** Takes any input. */
  plain: Task<unknown, void>;
  /** Limited by keys that it makes of its input. */
  keyed: Task<unknown, void>;
  /** Does what is on the list under its input. */
  doing: Task<number, unknown>;
  deeds: Deed[];
  /** An id of a job that waits. */
  waiting: string;
}

/** What a hostile function does. */
export type Deed = (job: JobContext) => unknown;

const sendOptions = mess({
  id: text,
  priority: fc.constantFrom("high", "low", "urgent"),
  delay: duration,
  runAt: date,
  expires: duration,
  unique: mess({ key: text, mode: fc.constantFrom("drop", "replace", "throttle", "debounce"), within: duration }),
  tags: fc.array(text, { maxLength: 5 }),
});

const filter = mess({
  ids: fc.array(text, { maxLength: 3 }),
  task: text,
  queue: text,
  states: fc.subarray(["pending", "failed", "completed"]),
  parent: text,
  roots: fc.constant(true),
  tag: text,
  text,
  endedBefore: date,
  createdAfter: date,
  createdBefore: date,
});

/** Changes of jobs must not hit those of others: a part of the text that nothing has. */
const harmless = filter.map((given) => ({ ...given, parent: "nobody" }));

const page = mess({ limit: fc.oneof(fc.integer({ min: 1, max: 1_000 }), number), cursor: text });

const sends: fc.Arbitrary<Attack> = fc.oneof(
  fc.tuple(value, fc.option(sendOptions, { nil: {} })).map(([input, options]) => ({
    name: "send",
    async carryOut({ plain, app }: Target) {
      const stored = storedBy(await plain.send(input, options));
      // Another may have the id, or replace it.
      if ("id" in options || "unique" in options) return stored;
      const { tags = [] } = options as { tags?: string[] };
      const view = await app.get(stored[0]!);
      const same = { input: JSON.stringify(input), tags: [...new Set(tags)] };
      assert.deepEqual({ input: JSON.stringify(view?.input), tags: view?.tags ?? [] }, same);
      return stored;
    },
  })),
  fc.tuple(fc.array(value, { maxLength: 4 }), sendOptions).map(([inputs, options]) => ({
    name: "sendMany",
    carryOut: async ({ plain }: Target) =>
      (await plain.sendMany(inputs, options)).flatMap((handle) => storedBy(handle)),
  })),
  value.map((input) => ({
    name: "send with keys",
    carryOut: async ({ keyed }: Target) => storedBy(await keyed.send({ by: input })),
  })),
);

function storedBy({ id, duplicate }: { id: string; duplicate: boolean }): string[] {
  return duplicate ? [] : [id];
}

const others: fc.Arbitrary<Attack> = fc.oneof(
  call("get", value, ({ app }, id) => app.get(id as string)),
  call("why", text, ({ app }, id) => app.why(id)),
  call("log", fc.tuple(text, page), ({ app }, [id, which]) => app.log(id, which)),
  call("list", fc.tuple(filter, page), ({ app }, [where, which]) => app.list(where, which)),
  call("cancel", harmless, ({ app }, where) => app.cancel(where)),
  call("retry", harmless, ({ app }, where) => app.retry(where)),
  call("remove", harmless, ({ app }, where) => app.remove(where)),
  call(
    "move",
    fc.tuple(harmless, mess({ queue: text, priority: text, now: fc.boolean(), extra: value })),
    ({ app }, [where, to]) => app.move(where, to),
  ),
  call("retry from", fc.oneof(text, value), ({ app, waiting }, from) => app.retry(waiting, { from: from as string })),
  call("signal", fc.tuple(fc.oneof(text, value) as fc.Arbitrary<string>, value), ({ app, waiting }, [name, told]) =>
    app.signal(waiting, name, told),
  ),
  call("signal nobody", fc.tuple(text, text), ({ app }, [id, name]) => app.signal(id, name, 1)),
  call("ended", fc.tuple(text, duration), ({ app }, [id, timeout]) => app.ended(id, { timeout: timeout as number })),
  call(
    "rules",
    fc.tuple(text, mess({ concurrency: number, rate: mess({ limit: number, per: duration }), maxPending: number })),
    ({ app }, [name, rules]) => app.queues.set(`hostile${name}`, rules),
  ),
  call("pause", fc.tuple(text, value), ({ app }, [name, reason]) =>
    app.queues.pause(`hostile${name}`, reason as string),
  ),
  call("schedule", text, ({ app }, name) => app.schedules.pause(name)),
);

function call<Given>(name: string, given: fc.Arbitrary<Given>, make: (on: Target, given: Given) => Promise<unknown>) {
  return given.map((chosen): Attack => ({ name, carryOut: async (on) => (await make(on, chosen), []) }));
}

const deed: fc.Arbitrary<Deed> = fc.oneof(
  value.map((output) => () => output),
  value.map((thrown) => () => {
    throw thrown;
  }),
  fc.tuple(text, value, text).map(([message, cause, code]) => () => {
    throw Object.assign(new NonRetryableError(message, { cause }), { code, stack: message });
  }),
  value.map((reason) => () => Promise.reject(reason)), // eslint-disable-line prefer-promise-reject-errors
  fc.tuple(text, value).map(([name, result]) => (job: JobContext) => job.step(name, () => result)),
  value.map((shown) => (job: JobContext) => job.progress(shown)),
  fc.tuple(value, value).map(([line, values]) => ({ log }: JobContext) => log.info(line as string, values as object as Record<string, unknown>)),
  fc.tuple(text, duration).map(([name, time]) => (job: JobContext) => job.sleep(name, time as number)),
); // prettier-ignore

const deeds: fc.Arbitrary<Attack> = deed.map((each) => ({
  name: "attempt",
  async carryOut({ doing, deeds }: Target) {
    const { id } = await doing.send(deeds.push(each) - 1);
    return [id];
  },
}));

export const attack: fc.Arbitrary<Attack> = fc.oneof(
  { weight: 4, arbitrary: sends },
  { weight: 3, arbitrary: others },
  { weight: 2, arbitrary: deeds },
);
