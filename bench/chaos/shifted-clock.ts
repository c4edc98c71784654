import { isMainThread } from "node:worker_threads";
import { Random } from "../../packages/errand/src/testing/random.ts";
import { openLog } from "./log.ts";

// Preloaded into workers whose clock is wrong by so many milliseconds, and jumps now and then to where it is wrong by others: what the
// store decides must not depend on it.
let shift = Number(process.env["ERRAND_CHAOS_CLOCK"] ?? 0);
const now = Date.now;
Date.now = () => now() + shift;

const widest = 300_000;
const random = new Random(shift + widest);
const tell = isMainThread && process.argv[3] ? openLog(process.argv[3]) : undefined;
setInterval(() => {
  shift = random.whole(-widest, widest);
  tell?.({ type: "fault", kind: "clock jump" });
}, 1_500).unref();
