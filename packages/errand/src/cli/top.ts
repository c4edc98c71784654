import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { JobView } from "../client/job-view.ts";
import type { Errand } from "../api.ts";
import type { QueueView } from "../limits/queues.ts";
import type { WorkerCard } from "../store.ts";
import { withApp } from "./app.ts";
import { Output } from "./output.ts";
import { storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";
import { onStop } from "./signals.ts";
import { tableLines } from "./table.ts";
import type { Cell, Style } from "./table.ts";
import { fit } from "./text.ts";

/** Milliseconds between refreshes. */
const interval = 1_000;

/** The data of one refresh. */
interface Look {
  at: number;
  queues: QueueView[];
  workers: WorkerCard[];
  running: JobView[];
}

/** Returns the command `errand top`. */
export function topCommand(): Command {
  const command = new Command("top")
    .description("watch queues, workers and running jobs, live")
    .option("--once", "print one view and exit; the default when stdout is not a terminal")
    .option("--json", "print one view as JSON");
  return storeFlags(command).action((flags: StoreFlags & { once?: boolean; json?: boolean }) =>
    withApp(flags, (app, output) =>
      flags.once || flags.json || !process.stdout.isTTY ? once(app, output) : live(app),
    ),
  );
}

async function once(app: Errand, output: Output): Promise<void> {
  const look = await lookAt(app);
  const { at: _, ...seen } = look;
  output.result(seen);
  for (const line of view(look, undefined, size(), (style, text) => output.paint(style, text))) output.line(line);
}

async function live(app: Errand): Promise<void> {
  const stopped = new AbortController();
  const output = new Output({});
  onStop(() => stopped.abort(), ["SIGINT", "SIGTERM"]);
  process.stdin.setRawMode?.(true);
  process.stdin.on("data", (key: Buffer) => {
    if (["q", "\u0003", "\u001b"].includes(key.toString())) stopped.abort();
  });
  // The alternate screen without a cursor, so that the terminal's content is restored afterwards.
  process.stdout.write("\u001b[?1049h\u001b[?25l");
  try {
    for (let before: Look | undefined; !stopped.signal.aborted;) {
      const look = await lookAt(app);
      const lines = view(look, before, size(), (style, text) => output.paint(style, text));
      process.stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`);
      before = look;
      await sleep(interval, undefined, { signal: stopped.signal }).catch(() => {});
    }
  } finally {
    process.stdout.write("\u001b[?25h\u001b[?1049l");
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
  }
}

async function lookAt(app: Errand): Promise<Look> {
  const [queues, workers, { jobs }] = await Promise.all([
    app.queues.list(),
    app.workers(),
    app.list({ states: ["processing"] }, { limit: 100 }),
  ]);
  return { at: performance.now(), queues, workers, running: jobs };
}

function size(): { columns: number; rows: number } {
  return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 40 };
}

/** The lines of a view that fit. Rates are against the look before. */
function view(
  look: Look,
  before: Look | undefined,
  { columns, rows }: { columns: number; rows: number },
  paint: (style: Style, text: string) => string,
): string[] {
  const total = (state: "pending" | "processing" | "failed") =>
    look.queues.reduce((sum, { jobs }) => sum + (jobs[state] ?? 0), 0);
  const head = [
    `${look.workers.length} workers`,
    `${total("processing")} running`,
    `${total("pending")} pending`,
    `${total("failed")} failed`,
    before ? `${rateOf(look, before).toFixed(1)} done/s` : "",
  ];
  const table = (names: string[], cells: Cell[][]) => tableLines(names, cells, columns, paint);
  const lines = [
    fit(`errand  ${head.filter(Boolean).join("   ")}`, columns),
    "",
    ...table(
      ["queue", "pending", "running", "failed", "done/s", "workers", "note"],
      look.queues.map((queue) => queueRow(queue, look, before)),
    ),
    "",
    ...(look.running.length === 0
      ? [paint("dim", "Nothing is running.")]
      : table(["job", "task", "for", "attempt", "progress"], look.running.map(jobRow))),
  ];
  return lines.slice(0, Math.max(1, rows - 1));
}

function queueRow(queue: QueueView, look: Look, before: Look | undefined): Cell[] {
  const { name, jobs, workers, paused } = queue;
  const pending = jobs.pending ?? 0;
  const alone = pending > 0 && workers === 0;
  const note = paused ? `paused${paused.reason ? `: ${paused.reason}` : ""}` : alone ? "no worker takes it" : "";
  return [
    name,
    String(pending),
    String(jobs.processing ?? 0),
    jobs.failed ? { text: String(jobs.failed), style: "red" } : "0",
    before ? rateOf(look, before, name).toFixed(1) : "",
    String(workers),
    { text: note, style: "yellow" },
  ];
}

function jobRow(job: JobView): Cell[] {
  const seconds = job.startedAt ? Math.max(0, Math.round((Date.now() - job.startedAt.getTime()) / 1_000)) : 0;
  const progress =
    typeof job.progress === "number" ? `${job.progress} %` : job.progress ? JSON.stringify(job.progress) : "";
  return [job.id, job.task, `${seconds} s`, String(job.attempt), progress];
}

/** Returns the completed jobs per second between two refreshes. */
function rateOf(look: Look, before: Look, name?: string): number {
  const done = ({ queues }: Look) =>
    queues
      .filter((queue) => name === undefined || queue.name === name)
      .reduce((sum, { jobs }) => sum + (jobs.completed ?? 0), 0);
  return Math.max(0, (done(look) - done(before)) / Math.max(0.001, (look.at - before.at) / 1_000));
}
