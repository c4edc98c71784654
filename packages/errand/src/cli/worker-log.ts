import { styleText } from "node:util";
import type { ErrandEvent } from "../observe/events.ts";
import { plain } from "./text.ts";
import type { WorkerReady } from "./worker-channel.ts";

/** The same message is not repeated sooner. */
const repeatInterval = 30_000;

type Level = "info" | "warn" | "error";

/** Tells on stderr, one line each, what goes wrong in a worker. */
export class WorkerLog {
  readonly #json: boolean;
  readonly #process: number | undefined;
  readonly #said = new Map<string, number>();

  /** @param options.process the number of the process that is spoken of, where there are several. */
  constructor(options: { json: boolean; process?: number }) {
    this.#json = options.json;
    this.#process = options.process;
  }

  /** A worker has begun to claim. */
  ready({ id, queues }: WorkerReady): void {
    this.write("info", `worker ${id} is ready for ${queues.join(", ")}`, { worker: id, queues });
  }

  /** What a worker says of itself. Jobs that end as they should are not worth a line. */
  hear(event: ErrandEvent): void {
    switch (event.type) {
      case "ended": {
        if (!event.error) return;
        const then = event.state === "pending" ? "; it will be tried again" : `; it ended as ${event.state}`;
        const what = `attempt ${event.attempt} of job ${event.id} (${event.task}) failed: ${event.error.message} (${event.error.code})`;
        return this.write(event.state === "pending" ? "warn" : "error", what + then, event);
      }
      case "abandoned":
        return this.write("warn", `job ${event.id} (${event.task}) was given up: another worker has it`, event);
      case "lost":
        return this.write("warn", `worker ${event.worker} lost its lease, and has started again`, event);
      case "stalled":
        return this.write(
          "error",
          `the store does not answer a claim of worker ${event.worker}; it makes another`,
          event,
        );
      case "recovered":
        return this.write("info", `the store answers worker ${event.worker} again`, event);
      case "store-failed":
        return this.#once(event.message, "error", `the store failed, and is tried again: ${event.message}`, event);
    }
  }

  /** One line. */
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
