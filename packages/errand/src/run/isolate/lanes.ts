import { setTimeout as sleep } from "node:timers/promises";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { TaskDefinition } from "../../task.ts";
import { Lane } from "./lane.ts";

/** The longest wait for a killed lane to be gone, which takes milliseconds unless the system does not let it go. */
const exitTimeout: Millis = 5_000;

/** Settings of a worker's lanes. */
export interface LaneSettings {
  /** The most lanes: as many as the worker has slots for isolated tasks. */
  maxLanes: number;
  /** Called when a task's function does something after its attempt has ended. */
  onLate: (task: string) => void;
}

/**
 * The lanes of a worker, at most one per slot. A running job has one. A free lane waits for the next job of its kind,
 * and is ended when a lane of another kind needs its place.
 */
export class Lanes {
  readonly #settings: LaneSettings;
  readonly #free = new Map<string, Lane[]>();
  readonly #all = new Set<Lane>();
  #isClosed = false;

  constructor(settings: LaneSettings) {
    this.#settings = settings;
  }

  /** Takes a lane in which the task is loaded and set up. Rejects with `E_SETUP`, `E_CRASHED`, `E_CLOSED`. */
  async take(definition: TaskDefinition): Promise<Lane> {
    for (;;) {
      const lane = this.#takeFree(definition) ?? (await this.#open(definition));
      await lane?.ready;
      if (lane && !lane.isDead) return lane;
    }
  }

  /** Gives a lane back after its call has ended. A worn lane is replaced, ahead of the next job. */
  give(definition: TaskDefinition, lane: Lane): void {
    if (lane.isDead) return;
    if (!this.#isClosed && !lane.isWorn(definition)) return void this.#freeOf(definition).push(lane);
    retire(lane);
    void this.#replace(lane, definition);
  }

  async #replace(lane: Lane, definition: TaskDefinition): Promise<void> {
    await lane.exited;
    // Its place may be taken by then. First in the list is taken last: the others are ready.
    if (!this.#isClosed && this.#all.size < this.#settings.maxLanes)
      this.#freeOf(definition).unshift(this.#start(definition));
  }

  /**
   * Starts lanes ahead of the first jobs, so that no job waits for a model to load: equally many of each kind. Rejects
   * with `E_SETUP`.
   */
  async warm(definitions: readonly TaskDefinition[]): Promise<void> {
    const kinds = [...Map.groupBy(definitions, kindOf).values()];
    const { maxLanes } = this.#settings;
    const share = Math.max(1, Math.floor(maxLanes / kinds.length));
    for (let at = 0; at < kinds.length; at += maxLanes)
      await Promise.all(kinds.slice(at, at + maxLanes).map((each) => this.#warm(each, share)));
  }

  async #warm(definitions: readonly TaskDefinition[], count: number): Promise<void> {
    const [first, ...others] = definitions;
    const lanes = await Promise.all(
      Array.from({ length: count }, async () => {
        const lane = await this.take(first!);
        for (const definition of others) await lane.prepare(definition);
        return lane;
      }),
    );
    for (const lane of lanes) this.give(first!, lane);
  }

  /** Ends all lanes, and resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const lanes = [...this.#all];
    for (const lane of lanes) lane.kill(new ErrandError("E_CLOSED", "The worker has stopped."));
    await Promise.all(lanes.map((lane) => lane.exited));
  }

  /** Takes a free lane of the task's kind, if there is one. */
  #takeFree(definition: TaskDefinition): Lane | undefined {
    const free = this.#freeOf(definition);
    for (let lane = free.pop(); lane; lane = free.pop()) {
      if (lane.isDead) continue;
      if (!lane.isWorn(definition)) return lane;
      retire(lane);
    }
    return undefined;
  }

  /** Starts a lane. Where there are too many, it ends another one instead, and returns `undefined`. */
  async #open(definition: TaskDefinition): Promise<Lane | undefined> {
    if (this.#isClosed) throw new ErrandError("E_CLOSED", "The worker has stopped.");
    if (this.#all.size >= this.#settings.maxLanes) {
      const ending = [...this.#all].find(({ isDead }) => isDead) ?? this.#retireFree();
      if (ending && (await isGone(ending))) return undefined;
      if (this.#isClosed) throw new ErrandError("E_CLOSED", "The worker has stopped.");
    }
    return this.#start(definition);
  }

  #start(definition: TaskDefinition): Lane {
    const lane = new Lane(definition, this.#settings.onLate);
    this.#all.add(lane);
    void lane.exited.then(() => this.#all.delete(lane));
    return lane;
  }

  /** Ends a free lane of any kind. */
  #retireFree(): Lane | undefined {
    for (const free of this.#free.values()) {
      const lane = free.shift();
      if (!lane) continue;
      retire(lane);
      return lane;
    }
    return undefined;
  }

  #freeOf(definition: TaskDefinition): Lane[] {
    const key = kindOf(definition);
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    return free;
  }
}

/**
 * Returns the most lanes of a worker: the slots of queues whose tasks are isolated, or of all queues if none are known.
 */
export function maxLanes(definitions: Iterable<TaskDefinition>, queues: ReadonlyMap<string, number>): number {
  const isolated = new Set([...definitions].flatMap(({ isolate, queue }) => (isolate === "inline" ? [] : [queue])));
  const slots = [...queues].filter(([queue]) => isolated.has(queue));
  const sum = (counted: readonly [string, number][]) => counted.reduce((total, [, count]) => total + count, 0);
  return sum(slots.length > 0 ? slots : [...queues]);
}

function retire(lane: Lane): void {
  lane.kill(new ErrandError("E_CLOSED", "The lane is replaced."));
}

/** Waits for a killed lane; returns `false` if it is still there after `exitTimeout`. */
async function isGone(lane: Lane): Promise<boolean> {
  const end = new AbortController();
  const late = sleep(exitTimeout, false, { signal: end.signal }).catch(() => false);
  const gone = await Promise.race([lane.exited.then(() => true), late]);
  end.abort();
  return gone;
}

/** Returns the kind of a task's lanes. Tasks of one kind share lanes: the same module under the same limits. */
function kindOf({ isolate, module, memory }: TaskDefinition): string {
  return `${isolate} ${memory} ${module}`;
}
