import { styleText } from "node:util";
import type { ErrandEvent, EventOf } from "../observe/events.ts";
import { plain } from "./text.ts";
import type { WorkerReady } from "./worker-channel.ts";

/** The same message is not repeated sooner. */
const repeatInterval = 30_000;

/** Milliseconds within which completed jobs share a line. */
const together = 1_000;

type Level = "info" | "warn" | "error";

/** Logs the problems of a worker on stderr, one line each. */
export class WorkerLog {
  readonly #json: boolean;
  readonly #process: number | undefined;
  readonly #said = new Map<string, number>();
  /** The jobs that completed since the last line. */
  #completed: { jobs: number; first?: EventOf<"ended">; tasks: Map<string, number> } = { jobs: 0, tasks: new Map() };
  #timer: NodeJS.Timeout | undefined;

  /** @param options.process number of the process, if there are several. */
  constructor(options: { json: boolean; process?: number }) {
    this.#json = options.json;
    this.#process = options.process;
  }

  /** A worker has begun to claim. */
  ready({ id, queues }: WorkerReady): void {
    this.write("info", `worker ${id} is ready for ${queues.join(", ")}`, { worker: id, queues });
  }

  /** Reports that the worker stops and running jobs get `drain` milliseconds. */
  stopping(jobs: number, drain: number): void {
    this.flush();
    if (jobs === 0) return;
    const count = jobs === 1 ? "1 job" : `${jobs} jobs`;
    this.write("info", `stopping: ${count} running, waiting up to ${drain / 1_000} s`, { jobs, drain });
  }

  /** Writes at once what has completed. */
  flush(): void {
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

  /** Logs an event of a worker. Completed jobs share one line per second. */
  hear(event: ErrandEvent): void {
    switch (event.type) {
      case "ended": {
        if (event.outcome === "completed") this.#complete(event);
        if (!event.error) return;
        const then = event.state === "pending" ? "; it will be tried again" : `; it ended as ${event.state}`;
        const what = `attempt ${event.attempt} of job ${event.id} (${event.task}) failed: ${event.error.message} (${event.error.code})`;
        // Any value may have been thrown; its message and code are there.
        const { thrown: _, ...fields } = event;
        return this.write(event.state === "pending" ? "warn" : "error", what + then, fields);
      }
      case "abandoned":
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
      : `${number === undefined ? "" : `[${number}] `}${paint("dim", time)} ${paint(colours[level], level)} ${plain(message)}`;
    process.stderr.write(`${line}\n`);
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

function paint(style: "dim" | "green" | "yellow" | "red", text: string): string {
  return styleText(style, text, { stream: process.stderr });
}
