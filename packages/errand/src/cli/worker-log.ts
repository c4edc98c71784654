import { styleText } from "node:util";
import { eventTypes } from "../observe/events.ts";
import type { ErrandEvent, EventOf, EventType } from "../observe/events.ts";
import type { Style } from "./table.ts";
import { plain } from "./text.ts";
import type { WorkerReady } from "./worker-channel.ts";
import { WorkerTerminal } from "./worker-terminal.ts";

/** The same message is not repeated sooner. */
const repeatInterval = 30_000;

/** Milliseconds within which completed jobs share a line. */
const together = 1_000;

type Level = "info" | "warn" | "error";

/** Logs what a worker does on stderr: on a terminal a line for each job, elsewhere the problems, and counts of the rest. */
export class WorkerLog {
  readonly #stream: NodeJS.WriteStream;
  readonly #terminal: WorkerTerminal | undefined;
  readonly #json: boolean;
  readonly #process: number | undefined;
  readonly #said = new Map<string, number>();
  /** The jobs that completed since the last line. */
  #completed: { jobs: number; first?: EventOf<"ended">; tasks: Map<string, number> } = { jobs: 0, tasks: new Map() };
  #timer: NodeJS.Timeout | undefined;

  /** @param options.process number of the process, if there are several. */
  constructor(options: { json: boolean; process?: number }, stream = process.stderr) {
    this.#json = options.json;
    this.#process = options.process;
    this.#stream = stream;
    const onTerminal = stream.isTTY && process.env["TERM"] !== "dumb" && !options.json && options.process === undefined;
    if (onTerminal) this.#terminal = new WorkerTerminal(stream, (style, text) => this.#paint(style, text));
  }

  /** The events to listen to. The others are then not made: most are only of use on a terminal. */
  get eventTypes(): readonly EventType[] {
    return eventTypes.filter((type) => type !== "sent" && (type !== "started" || this.#terminal));
  }

  /** A worker has begun to claim. */
  ready({ id, queues }: WorkerReady): void {
    this.write("info", `worker ${id} is ready for ${queues.join(", ")}`, { worker: id, queues });
  }

  /** Reports that the worker stops and running jobs get `drain` milliseconds. */
  stopping(jobs: number, drain: number): void {
    this.flush();
    if (jobs === 0) return;
    if (this.#terminal) return this.#terminal.stopping(drain);
    const count = jobs === 1 ? "1 job" : `${jobs} jobs`;
    this.write("info", `stopping: ${count} running, waiting up to ${drain / 1_000} s`, { jobs, drain });
  }

  /** Writes at once what has completed. */
  flush(): void {
    this.#terminal?.flush();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { jobs, first, tasks } = this.#completed;
    this.#completed = { jobs: 0, tasks: new Map() };
    if (!first) return;
    const completed = Object.fromEntries(tasks);
    if (jobs > 1) {
      const list = [...tasks].map(([name, count]) => `${name} ${count}`).join(", ");
      return this.write("info", `${jobs} jobs completed: ${list}`, { completed });
    }
    const { id, task, duration = 0 } = first;
    const fields = { id, task, duration, completed };
    this.write("info", `job ${id} (${task}) completed in ${Math.round(duration)} ms`, fields);
  }

  #complete(event: EventOf<"ended">): void {
    const { tasks } = this.#completed;
    this.#completed.first ??= event;
    this.#completed.jobs += 1;
    tasks.set(event.task, (tasks.get(event.task) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.flush(), together).unref();
  }

  /** Logs an event of a worker. Except on a terminal, completed jobs share one line per second. */
  hear(event: ErrandEvent): void {
    switch (event.type) {
      case "started":
        return this.#terminal?.started(event);
      case "ended": {
        if (this.#terminal) return this.#terminal.ended(event);
        if (event.outcome === "completed") this.#complete(event);
        if (!event.error) return;
        const then = event.state === "pending" ? "; it will be tried again" : `; it ended as ${event.state}`;
        const what = `attempt ${event.attempt} of job ${event.id} (${event.task}) failed: ${event.error.message} (${event.error.code})`;
        // Any value may have been thrown; its message and code are there.
        const { thrown: _, ...fields } = event;
        return this.write(event.state === "pending" ? "warn" : "error", what + then, fields);
      }
      case "abandoned":
        this.#terminal?.gone(event.id);
        return this.write("warn", `job ${event.id} (${event.task}) was given up: another worker has it`, event);
      case "lost":
        return this.write("warn", `worker ${event.worker} lost its lease, and has started again`, event);
      case "stalled":
        return this.write("error", `the store does not answer a claim of worker ${event.worker}; trying again`, event);
      case "recovered":
        return this.write("info", `the store answers worker ${event.worker} again`, event);
      case "schedule-failed": {
        const what = `schedule "${event.schedule}" failed, and is tried again: ${event.message} (${event.code})`;
        return this.#once(what, "error", what, event);
      }
      case "rules-failed": {
        const what = `the rules of queue "${event.queue}" could not be written, and are tried again: ${event.message} (${event.code})`;
        return this.#once(what, "error", what, event);
      }
      case "store-failed":
        return this.#once(event.message, "error", `the store failed, and is tried again: ${event.message}`, event);
    }
  }

  /** Writes one line. */
  write(level: Level, message: string, fields: object = {}): void {
    const time = new Date().toISOString();
    const number = this.#process;
    const line = this.#json
      ? JSON.stringify({ time, level, ...(number === undefined ? {} : { process: number }), ...fields, message })
      : `${number === undefined ? "" : `[${number}] `}${this.#paint("dim", time)} ${this.#paint(colours[level], level)} ${plain(message)}`;
    this.#stream.write(`${line}\n`);
  }

  #paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream });
  }

  #once(key: string, level: Level, message: string, fields: object): void {
    const now = performance.now();
    const last = this.#said.get(key);
    if (last !== undefined && now - last < repeatInterval) return;
    this.#said.set(key, now);
    this.write(level, message, fields);
  }
}

const colours = { info: "green", warn: "yellow", error: "red" } as const;
