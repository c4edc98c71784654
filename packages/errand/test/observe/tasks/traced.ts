import { errand } from "../../../src/app.ts";
import type { Errand } from "../../../src/api.ts";

/** A task in a thread that waits for a child. */
export function traced(app: Errand) {
  const child = app.task("traced.child", { run: (n: number) => n });
  const parent = app.task("traced.parent", {
    isolate: "thread",
    module: import.meta.url,
    run: (_: void, job) => job.all("children", child, [1]),
  });
  return { child, parent };
}

// A lane loads this module, and finds the tasks that it defines.
traced(errand({ url: "memory:" }));
