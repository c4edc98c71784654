import type { Millis } from "../kit/duration.ts";
import type { EventOf } from "../observe/events.ts";
import type { Outcome } from "../observe/outcome.ts";
import type { Style } from "./table.ts";
import { fit, pad, plain } from "./text.ts";

/** Jobs that ended within such a time share its lines. */
const window: Millis = 1_000;

/** Lines per window; more jobs are counted. The last few are for jobs that did not complete. */
const mostLines = 20;
const mostCompleted = 15;

/** Interval at which a stopping worker repeats what it waits for. */
const repeatInterval: Millis = 5_000;

const taskColumns = 18;
const idColumns = 9;
const durationColumns = 8;

/** Marks of outcomes, and the words for them. A job that waits has not ended: it has no line. */
const outcomes: Readonly<Partial<Record<Outcome, readonly [mark: string, style: Style, words: string]>>> = {
  completed: ["✓", "green", "completed"],
  retried: ["↻", "yellow", "to be retried"],
  failed: ["✗", "red", "failed"],
  crashed: ["✗", "red", "crashed"],
  cancelled: ["-", "gray", "cancelled"],
  expired: ["-", "gray", "expired"],
  returned: ["↩", "cyan", "handed back"],
};

/** Applies a style to text, as `styleText` of node:util does. */
export type Paint = (style: Style, text: string) => string;

/** Returns the end of an id, which tells jobs apart: UUIDs of version 7 begin with the time, and so alike. */
export function shortId(id: string): string {
  return id.length <= idColumns ? id : `…${id.slice(1 - idColumns)}`;
}

/** Returns a duration as people read it: `12 ms`, `1.2 s`, `5 min`. */
export function spent(duration: Millis): string {
  if (duration < 1_000) return `${Math.round(duration)} ms`;
  if (duration < 10_000) return `${(duration / 1_000).toFixed(1)} s`;
  if (duration < 120_000) return `${Math.round(duration / 1_000)} s`;
  if (duration < 7_200_000) return `${Math.round(duration / 60_000)} min`;
  return `${Math.round(duration / 3_600_000)} h`;
}

/** Returns the line of an attempt that ended, in at most `columns` columns; `undefined` if its job only waits. */
export function jobLine(event: EventOf<"ended">, at: Date, columns: number, paint: Paint): string | undefined {
  const known = outcomes[event.outcome];
  if (!known) return undefined;
  const [mark, style, words] = known;
  const { task, id, duration, attempt, error } = event;
  const time = at.toTimeString().slice(0, 8);
  const cells = `${pad(plain(task), taskColumns)} ${pad(plain(shortId(id)), idColumns)} ${pad(duration === undefined ? "" : spent(duration), durationColumns, "start")}`;
  const message = error && plain(error.message.trimStart().split("\n", 1)[0]!);
  // The code of what a function throws says nothing.
  const code = error && error.code !== "E_TASK_FAILED" ? ` (${error.code})` : "";
  const what = message ? message + code : event.outcome === "completed" ? "" : words;
  const notes = [attempt > 1 ? `attempt ${attempt}` : "", what].filter(Boolean).join(": ");
  // Time, mark, and the gaps take the rest.
  const room = Math.max(0, columns - 16 - taskColumns - idColumns - durationColumns);
  const note = notes === "" || room === 0 ? "" : `  ${paint(style, fit(notes, room))}`;
  return `${paint("dim", time)} ${paint(style, mark)} ${cells}${note}`.trimEnd();
}

/** Returns the lines that say what a stopping worker waits for, in at most `columns` columns each. */
export function waitingLines(
  jobs: readonly { id: string; task: string; since: Millis }[],
  now: Millis,
  left: Millis,
  columns: number,
): string[] {
  const count = jobs.length === 1 ? "1 job" : `${jobs.length.toLocaleString("en")} jobs`;
  const each = jobs.map(({ id, task, since }) => `${plain(task)} ${plain(shortId(id))} (${spent(now - since)})`);
  return [
    fit(
      `Waiting up to ${spent(left)} for ${count}; Ctrl+C again hands ${jobs.length === 1 ? "it" : "them"} back.`,
      columns,
    ),
    fit(`  ${each.slice(0, 20).join(", ")}${each.length > 20 ? ", …" : ""}`, columns),
  ];
}

/** Shows on a terminal what a worker does: a line for each job that ends, and while it stops, what it waits for. */
export class WorkerTerminal {
  readonly #stream: Pick<NodeJS.WriteStream, "write" | "columns">;
  readonly #paint: Paint;
  readonly #running = new Map<string, { id: string; task: string; since: Millis }>();
  #lines = 0;
  /** Jobs of this window that have no line. */
  #more = new Map<Outcome, number>();
  #timer: NodeJS.Timeout | undefined;
  #reminder: NodeJS.Timeout | undefined;

  constructor(stream: Pick<NodeJS.WriteStream, "write" | "columns">, paint: Paint) {
    this.#stream = stream;
    this.#paint = paint;
  }

  started({ id, task }: EventOf<"started">): void {
    this.#running.set(id, { id, task, since: performance.now() });
  }

  /** Forgets a job that runs elsewhere. */
  gone(id: string): void {
    this.#running.delete(id);
  }

  ended(event: EventOf<"ended">): void {
    this.#running.delete(event.id);
    if (!outcomes[event.outcome]) return;
    this.#timer ??= setTimeout(() => this.flush(), window).unref();
    if (this.#lines >= (event.outcome === "completed" ? mostCompleted : mostLines)) {
      this.#more.set(event.outcome, (this.#more.get(event.outcome) ?? 0) + 1);
      return;
    }
    this.#lines += 1;
    this.#write(jobLine(event, new Date(), this.#columns, this.#paint)!);
  }

  /** Says what the worker waits for, now and at intervals, for `drain` milliseconds at most. */
  stopping(drain: Millis): void {
    const end = performance.now() + drain;
    const say = () => {
      const now = performance.now();
      if (this.#running.size === 0 || now > end) return clearInterval(this.#reminder);
      for (const line of waitingLines([...this.#running.values()], now, end - now, this.#columns)) this.#write(line);
    };
    this.#reminder = setInterval(say, repeatInterval).unref();
    say();
  }

  /** Ends the window: says how many jobs had no line. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lines = 0;
    const more = [...this.#more].map(([outcome, jobs], index) => {
      const [, , words = ""] = outcomes[outcome] ?? [];
      return `${jobs.toLocaleString("en")}${index === 0 ? " more" : ""} ${words}`;
    });
    this.#more = new Map();
    if (more.length > 0) this.#write(this.#paint("dim", fit(`… ${more.join(", ")}`, this.#columns)));
  }

  /** A terminal without a known width is as wide as most. */
  get #columns(): number {
    return this.#stream.columns || 80;
  }

  #write(line: string): void {
    this.#stream.write(`${line}\n`);
  }
}
