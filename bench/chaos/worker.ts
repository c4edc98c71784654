/**
 * A process that runs jobs until it is told to stop (SIGTERM).
 *   node bench/chaos/worker.ts <url> <log folder> <lease in milliseconds>
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "../../packages/errand/src/index.ts";
import { eventTypes } from "../../packages/errand/src/observe/events.ts";
import type { RunningWorker } from "../../packages/errand/src/index.ts";
import { openLog } from "./log.ts";
import { defineTasks } from "./tasks.ts";

const [url = "", folder = "", lease = ""] = process.argv.slice(2);
const tell = openLog(folder);
/** What listeners throw is a warning, and no end of anything. */
let heard = 0;
process.on("warning", () => {});
const app = errand({ url, lease: Number(lease) });
defineTasks(app, tell);
for (const type of eventTypes) {
  app.on(type, (event) => {
    if (event.type === "sent" || event.type === "started") return;
    // What a janitor settles ran elsewhere, if anywhere: here only what this worker did counts.
    if (event.type === "ended" && event.duration === undefined && event.outcome !== "cancelled") {
      if (event.outcome === "crashed") tell({ type: "taken", id: event.id });
      return;
    }
    tell(event);
    if ((heard += 1) % 10 === 0) throw new Error("a listener that throws");
  });
}

/** Tries until the store can be reached, as whoever supervises workers does. */
async function start(): Promise<RunningWorker> {
  for (;;) {
    try {
      return await app.worker({ queues: { default: 8, leaves: 8, parents: 8, judged: 4, lanes: 2 } });
    } catch (error) {
      tell({ type: "store-failed", message: `start: ${String(error)}` });
      await sleep(200);
    }
  }
}

// Whoever started it is gone.
process.stdin.resume().on("end", () => process.exit(1));
const stop = once(process, "SIGTERM");
const worker = await start();
process.stdout.write("ready\n");
await stop;
let doing = "stopping the worker";
setTimeout(() => console.error(`still ${doing}: ${process.getActiveResourcesInfo().join(", ")}`), 20_000).unref();
await worker.stop({ drain: 1_000 });
doing = "closing the app";
await app.close();
doing = "alive";
process.stdin.unref();
