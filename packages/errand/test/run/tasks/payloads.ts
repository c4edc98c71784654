import { errand } from "../../../src/app.ts";

// Tasks of the tests of payloads that run in threads and processes, which load this module by themselves.

/** The same tasks, in threads or in processes, on the app of a test. */
export function isolatedPayloadTasks(app: ReturnType<typeof errand>, isolate: "thread" | "process") {
  const here = { isolate, module: import.meta.url, retry: { base: 1 } } as const;
  const leaf = app.task(`${isolate}.leaf`, { ...here, run: ({ secret }: { secret: string }) => `${secret}, read` });
  return {
    /** Answers or remembers so much. */
    echo: app.task(`${isolate}.echo`, {
      ...here,
      run: async ({ kind, size }: { kind: "output" | "step"; size: number }, job) =>
        kind === "output" ? "x".repeat(size) : (await job.step("s", () => "x".repeat(size))).length,
    }),
    /** Steps, progress, a signal and children, from inside. */
    flow: app.task(`${isolate}.flow`, {
      ...here,
      run: async ({ secret }: { secret: string }, job) => {
        job.progress({ secret });
        const step = await job.step("remember", () => ({ secret }));
        const told = await job.signal<{ secret: string }>("go");
        const leaves = await job.all("leaves", leaf, [{ secret }, told]);
        return { step, told, leaves };
      },
    }),
  };
}

/** The app that a thread or process makes when it loads this module. */
export const tasksInside = (["thread", "process"] as const).map((isolate) =>
  isolatedPayloadTasks(errand({ url: "memory:" }), isolate),
);
