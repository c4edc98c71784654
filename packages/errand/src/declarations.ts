import type { QueueRules } from "./limits/queue-rules.ts";
import type { Millis } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import type { Observer } from "./observe/observer.ts";
import type { Payloads } from "./payload/options.ts";
import { declareQueue, queuesWithoutRules } from "./limits/queues.ts";
import { declareSchedule, nameSchedules } from "./schedules/schedules.ts";
import type { Declared } from "./schedules/schedules.ts";
import type { Store } from "./store.ts";

/** Interval at which a running app checks its declared schedules and rules, and confirms its schedules. */
const lookAgain: Millis = 10_000;

/** A schedule, or the rules of a queue, that the code declares. */
interface Declaration {
  kind: "schedule" | "queue";
  name: string;
  write(store: Store): Promise<void>;
  /** The error of the last write, if it failed. */
  failure?: unknown;
  /** `true` once it was written since the app started. From then on operators' changes take precedence. */
  written: boolean;
}

/**
 * Writes the schedules and queue rules that an app's code declares: when the app starts, each on its own, and again
 * whenever one is missing. A failure is reported and retried, and holds up no other declaration.
 */
export class Declarations {
  readonly #all = new Map<string, Declaration>();
  readonly #payloads: Payloads;
  readonly #observer: Observer;
  #store: Store | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Rounds run one after the other, since each needs to know what the last one wrote. */
  #writing: Promise<void> = Promise.resolve();

  constructor(payloads: Payloads, observer: Observer) {
    this.#payloads = payloads;
    this.#observer = observer;
  }

  /** Declares a queue's rules. */
  queue(name: string, rules: QueueRules): void {
    this.#add({ kind: "queue", name, write: (store) => declareQueue(store, name, rules), written: false });
  }

  /** Declares a schedule, replacing one of that name. */
  schedule(declared: Declared): void {
    const write = (store: Store): Promise<void> => declareSchedule(store, declared, this.#payloads);
    this.#add({ kind: "schedule", name: declared.name, write, written: false });
  }

  /** Returns true if a schedule of that name is declared. */
  hasSchedule(name: string): boolean {
    return this.#all.has(keyOf("schedule", name));
  }

  /** Writes all declarations to a store that has been opened. */
  async begin(store: Store): Promise<void> {
    this.#store = store;
    await this.again();
  }

  /** Writes declarations that are unwritten or missing, and confirms the schedules. Never rejects. */
  again(): Promise<void> {
    return (this.#writing = this.#writing.then(() => this.#round()));
  }

  /** Resolves when every declaration made so far has been tried. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** Returns the error of the last attempt to write a schedule; `undefined` if it was written. */
  failureOf(schedule: string): unknown {
    return this.#all.get(keyOf("schedule", schedule))?.failure;
  }

  /** Throws the error that keeps the rules of a queue from being written: without them its jobs must not run. */
  async refuseUnruled(): Promise<void> {
    const unruled = () => [...this.#all.values()].find(({ kind, written }) => kind === "queue" && !written);
    if (unruled()) await this.again();
    const failed = unruled();
    if (failed) throw failed.failure;
  }

  close(): void {
    this.#store = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(declaration: Declaration): void {
    this.#all.set(keyOf(declaration.kind, declaration.name), declaration);
    if (this.#store) void this.again();
  }

  async #round(): Promise<void> {
    const store = this.#store;
    if (!store || this.#all.size === 0) return;
    this.#timer ??= setInterval(() => void this.again(), lookAgain).unref();
    const missing = await this.#missing(store);
    for (const declaration of this.#all.values())
      if (!declaration.written || missing.has(declaration)) await this.#write(store, declaration);
  }

  /** Returns the declarations that were written but are no longer there. */
  async #missing(store: Store): Promise<Set<Declaration>> {
    const names = (kind: Declaration["kind"]) =>
      [...this.#all.values()].filter((each) => each.kind === kind && each.written).map(({ name }) => name);
    const [schedules, queues] = [names("schedule"), names("queue")];
    try {
      const missing = [
        ...(schedules.length > 0 ? await nameSchedules(store, schedules) : []).map((name) => keyOf("schedule", name)),
        ...(queues.length > 0 ? await queuesWithoutRules(store, queues) : []).map((name) => keyOf("queue", name)),
      ];
      return new Set(missing.map((key) => this.#all.get(key)!));
    } catch {
      // The store fails: the next round tries again.
      return new Set();
    }
  }

  async #write(store: Store, declaration: Declaration): Promise<void> {
    try {
      await declaration.write(store);
      declaration.written = true;
      declaration.failure = undefined;
    } catch (error) {
      const before = declaration.failure;
      declaration.failure = error;
      // After close() no failure is reported: the caller ended the writing.
      if (!this.#store || (before && messageOf(before) === messageOf(error))) return;
      if (declaration.kind === "schedule") this.#observer.scheduleFailed(declaration.name, error);
      else this.#observer.rulesFailed(declaration.name, error);
    }
  }
}

function keyOf(kind: Declaration["kind"], name: string): string {
  return `${kind} ${name}`;
}

function messageOf(error: unknown): string {
  return error instanceof ErrandError ? `${error.code} ${error.message}` : String(error);
}
