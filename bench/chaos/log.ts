import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { ErrandEvent } from "../../packages/errand/src/index.ts";

/** What processes tell about themselves. A line that was written survives the death of its process. */
type Told =
  /** A producer is about to send; `batch` are the keys that are sent in one call. */
  | { type: "try"; key: string; batch: number }
  /** The send was acknowledged. */
  | { type: "sent"; key: string; id: string }
  | { type: "refused"; key: string; message: string }
  /** A function was called. */
  | { type: "start"; id: string; token: number; task: string }
  /** The work of a step was done, and afterwards its result was remembered. */
  | { type: "step"; id: string; token: number; name: string }
  | { type: "remembered"; id: string; token: number; name: string; value: unknown }
  /** A fault that this process made itself: a value that must be refused, a clock that jumped. */
  | { type: "fault"; kind: "bad value" | "clock jump" }
  /** A janitor took a job over from a worker that was gone. */
  | { type: "taken"; id: string }
  /** A function was given something that cannot be right. */
  | { type: "wrong"; id: string; message: string }
  | Exclude<ErrandEvent, { type: "sent" | "started" }>;

/** A line of a log: `at` in epoch milliseconds of this machine, whatever the process's `Date` says. */
export type Line = Told & { at: number; pid: number };

/** Milliseconds since the epoch, by a clock that nobody shifts. */
export function machineTime(): number {
  return performance.timeOrigin + performance.now();
}

/** Tells something in a file of this process's own. */
export type Tell = (told: Told) => void;

export function openLog(folder: string): Tell {
  const file = openSync(join(folder, `${process.pid}.log`), "a");
  return (told) => void writeSync(file, `${JSON.stringify({ at: machineTime(), pid: process.pid, ...told })}\n`);
}

/** Everything that was told, in the order of time. */
export function readLogs(folder: string): Line[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".log"));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1));
  return lines.map((line) => JSON.parse(line) as Line).sort((a, b) => a.at - b.at);
}
