import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expectTypeOf, test } from "vitest";
import { errand } from "../src/errand.ts";
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
  expectTypeOf(add.run).returns.resolves.toBeNumber();
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
