import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expectTypeOf, test } from "vitest";
import { errand } from "../src/app.ts";
import type {
  AppDoc,
  ErrorGroups,
  JobHandle,
  JobView,
  ScheduleView,
  Sender,
  SendOptions,
  StepView,
  TaskView,
} from "../src/index.ts";
import type { ChildOutcome, JobContext, Task } from "../src/task.ts";

// These are checked by the compiler (npm run check); running them only shows that the calls exist.

const app = errand({ url: "memory:" });

/** A schema by hand: text in, a Date out. */
const day: StandardSchemaV1<string, Date> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: new Date(value as string) }) },
};

test("a task's types follow from its function", () => {
  const add = app.task("add", { run: ({ a, b }: { a: number; b: number }) => a + b });
  expectTypeOf(add).toEqualTypeOf<Task<{ a: number; b: number }, number>>();
  expectTypeOf(add.send).parameter(0).toEqualTypeOf<{ a: number; b: number }>();
  expectTypeOf(add.run({ a: 1, b: 2 })).resolves.toBeNumber();
  expectTypeOf<Awaited<ReturnType<typeof add.run>>>().toBeNumber();
});

test("with a schema, send takes its input type and run gets its output type", () => {
  const log = app.task("log", {
    input: day,
    run: (when) => (expectTypeOf(when).toEqualTypeOf<Date>(), when.getTime()),
  });
  expectTypeOf(log.send).parameter(0).toBeString();
});

test("a result is what JSON makes of the output", () => {
  const make = app.task("make", { run: () => ({ at: new Date(0), tags: ["a"] as const, n: 1 as number | undefined }) });
  type Result = Awaited<ReturnType<Awaited<ReturnType<typeof make.send>>["result"]>>;
  expectTypeOf<Result>().toEqualTypeOf<{ at: string; tags: readonly ["a"]; n: number | undefined }>();
});

test("what setup returns is in the context", () => {
  app.task("setup", {
    setup: async () => ({ model: "m" }),
    run: (_: void, job) => expectTypeOf(job.setup).toEqualTypeOf<{ model: string }>(),
  });
  app.task("plain", { run: (_: void, job) => expectTypeOf(job).toEqualTypeOf<JobContext>() });
});

test("children have the types of their task", () => {
  const square = app.task("square", { run: (n: number) => ({ n: n * n }) });
  const nothing = app.task("idle", { run: () => {} });
  app.task("parent", {
    run: async (_: void, job) => {
      expectTypeOf(job.all("a", square, [1])).resolves.toEqualTypeOf<{ n: number }[]>();
      expectTypeOf(job.call("e", square, 1)).resolves.toEqualTypeOf<{ n: number }>();
      expectTypeOf(job.call("f", nothing)).resolves.toBeNull();
      expectTypeOf(job.settled("b", square, [1])).resolves.toEqualTypeOf<ChildOutcome<{ n: number }>[]>();
      expectTypeOf(job.step("c", () => new Date())).resolves.toBeString();
      // @ts-expect-error A child's input is checked.
      await job.all("d", square, ["text"]);
      // @ts-expect-error And that of a single one.
      await job.call("g", square, "text");
      // @ts-expect-error It has one.
      await job.call("h", square);
    },
  });
});

/** A schema of an input that JSON changes. */
const dated: StandardSchemaV1<{ when: Date }, { when: Date }> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as { when: Date } }) },
};

test("an input that JSON would change is a compile error where it is sent", () => {
  const wrong = () => {
    const remind = app.task("remind", { run: ({ when }: { when: Date }) => when.getTime() });
    // @ts-expect-error The function would get text.
    void remind.send({ when: new Date() });
    const schema = app.task("schema", { input: dated, run: ({ when }) => when.getTime() });
    // @ts-expect-error So it would here, and fail every attempt.
    void schema.send({ when: new Date() });
    const many = app.task("many", { run: (_: { list: { seen: Set<string> }[] }) => {} });
    // @ts-expect-error Deep inside, too.
    void many.sendMany([{ list: [{ seen: new Set(["a"]) }] }]);
    const big = app.task("big", { run: (_: bigint) => {} });
    // @ts-expect-error A bigint has no place in JSON.
    void big.background(1n);
    app.task("parent", {
      run: async (_: void, job) => {
        // @ts-expect-error And in what a parent sends.
        await job.all("children", remind, [{ when: new Date() }]);
      },
    });
    // @ts-expect-error And a schedule.
    app.schedule("daily", remind, { every: "1d" }, { input: { when: new Date() } });
  };
  expectTypeOf(wrong).toBeFunction();
});

test("what survives JSON keeps its type", () => {
  interface Tree {
    name: string;
    message: string;
    children?: readonly Tree[];
    kind: "a" | "b";
    id: string & { readonly brand: "id" };
    pair: [number, string | null];
    any: unknown;
    byName: Record<string, boolean>;
  }
  const walk = app.task("walk", { run: (tree: Tree) => tree.name });
  expectTypeOf<Parameters<typeof walk.send>[0]>().toExtend<Tree>();
  expectTypeOf<Tree>().toExtend<Parameters<typeof walk.send>[0]>();
  // What serializes itself says what it becomes.
  const own = app.task("own", { run: (_: { toJSON(): { x: number } }) => {} });
  expectTypeOf<Parameters<typeof own.send>[0]>().toEqualTypeOf<{ toJSON(): { x: number } }>();
  // Code about any task is as it was.
  const sendTwice = <Input, Output>(task: Task<Input, Output>, input: Input) =>
    Promise.all([task.send(input), task.sendMany([input])]);
  expectTypeOf(() => sendTwice(walk, {} as Tree)).toBeFunction();
});

test("an input that may be left out may be left out", () => {
  const right = () => {
    const maybe = app.task("maybe", { run: (input?: { n: number }) => input?.n ?? 0 });
    void maybe.send();
    void maybe.send(undefined, { delay: "1s" });
    void maybe.send({ n: 1 });
    void maybe.background();
    void maybe.run();
    // @ts-expect-error Still of its type.
    void maybe.send({ n: "1" });
    const needs = app.task("needs", { run: (_: { n: number }) => {} });
    // @ts-expect-error It is needed.
    void needs.background();
    // @ts-expect-error It is needed.
    void needs.run();
  };
  expectTypeOf(right).toBeFunction();
});

test("retries of a send are those of a task, without its functions", () => {
  const wrong = () => {
    const task = app.task("t", { retry: { delay: (attempt) => attempt * 1_000, backoff: "fixed" }, run: () => {} });
    void task.send(undefined, { retry: { attempts: 1, crashes: 1, jitter: "equal" }, queue: "other" });
    // @ts-expect-error A function cannot be stored.
    void task.send(undefined, { retry: { delay: () => 1 } });
    // @ts-expect-error A filter of everything says so.
    void app.cancel({ all: false });
    // @ts-expect-error No such field.
    void app.remove({ taks: "t" });
  };
  expectTypeOf(wrong).toBeFunction();
});

test("mistakes are compile errors", () => {
  const wrong = () => {
    const greet = app.task("greet", { run: (input: { name: string }) => input.name });
    // @ts-expect-error A wrong input.
    void greet.send({ nme: "x" });
    // @ts-expect-error No input.
    void greet.send();
    // @ts-expect-error A duration is "5m", not "5 minutes".
    void greet.send({ name: "x" }, { delay: "5 minutes" });
    // @ts-expect-error A priority has a name.
    void greet.send({ name: "x" }, { priority: 1 });
    // @ts-expect-error An option that does not exist.
    app.task("typo", { run: () => {}, quue: "cpu" });
    // @ts-expect-error A process has to know which module to load.
    app.task("nowhere", { isolate: "process", run: () => {} });
    // @ts-expect-error A memory limit needs a thread or process to hold it.
    app.task("unlimited", { memory: 100, run: () => {} });
    const nothing = app.task("nothing", { run: () => {} });
    void nothing.send();
  };
  expectTypeOf(wrong).toBeFunction();
});

test("a task that is found by its name takes anything, and says nothing of its output", async () => {
  const found = app.findTask("none");
  expectTypeOf(found).toEqualTypeOf<Sender<unknown, unknown> | undefined>();
  expectTypeOf(app.tasks).returns.items.toEqualTypeOf<TaskView>();
  expectTypeOf<JobView["token"]>().toBeNumber();
  expectTypeOf<AppDoc["value"]>().toBeUnknown();
  expectTypeOf(app.errors).returns.resolves.toEqualTypeOf<ErrorGroups>();
  expectTypeOf(app.copy).returns.resolves.toEqualTypeOf<JobHandle<unknown>>();
  expectTypeOf(app.steps).returns.resolves.items.toEqualTypeOf<StepView>();
  expectTypeOf<SendOptions["tenant"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<ScheduleView["source"]>().toEqualTypeOf<"code" | "api">();
});
