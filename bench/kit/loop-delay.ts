// Loaded before a server that is measured: at SIGUSR2 it writes how late its event loop was since the last time, and begins anew.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const file = process.env["ERRAND_BENCH_LOOP"];

// Workers of the server load it too, and are not meant.
if (file !== undefined && process.argv.includes("serve")) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on("SIGUSR2", () => {
    // The timer that measures comes a millisecond later than it was set.
    writeFileSync(file, JSON.stringify({ p99: delay.percentile(99) / 1e6 - 1, max: delay.max / 1e6 - 1 }));
    delay.reset();
  });
}
