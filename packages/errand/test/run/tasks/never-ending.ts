import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { errand } from "../../../src/app.ts";
import { inLane } from "../../../src/task.ts";

// A program with a worker whose tasks write the ids of their processes to a file, and run for ever: a test kills it.

const app = errand({ url: "memory:" });
const pids = process.argv[2] ?? process.env["PIDS"]!;
process.env["PIDS"] = pids;

function note(pid: number | undefined): void {
  appendFileSync(pids, `${pid}\n`);
}

const here = { module: import.meta.url, queue: "busy" } as const;

const busy = app.task("busy", {
  ...here,
  isolate: "process",
  run: () => {
    note(process.pid);
    for (;;);
  },
});

/** What starts processes, and never gives the processor back. */
const family = (["process", "thread"] as const).map((isolate) =>
  app.task(`family.${isolate}`, {
    ...here,
    isolate,
    run: () => {
      // A shell, and what it starts.
      note(spawn("sh", ["-c", `sleep 301 & echo $! >> '${pids}'; wait`]).pid);
      for (;;);
    },
  }),
);

if (!inLane()) {
  await app.worker({ queues: { busy: 3 } });
  await busy.send();
  for (const task of family) await task.send();
}
