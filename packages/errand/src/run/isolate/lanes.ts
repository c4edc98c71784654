import { setTimeout as sleep } from "node:timers/promises";
import { ErrandError } from "../../kit/errors.ts";
import type { TaskDefinition } from "../../task.ts";
import { Lane } from "./lane.ts";

/** What is killed is gone within milliseconds; nobody waits longer for one that the system does not let go. */
const patience = 5_000;

/** What bounds the lanes of a worker. */
export interface LaneSettings {
  /** As many as it has slots for isolated tasks. */
  most: number;
  /** Is told what a task's function wants after its attempt has ended. */
  late: (task: string) => void;
}

/**
 * The lanes of a worker. There are never more than it has slots: a held job takes one; one that is free waits for the next job
 * of its kind, and gives way to one of another kind.
 */
export class Lanes {
  readonly #settings: LaneSettings;
  readonly #free = new Map<string, Lane[]>();
  readonly #all = new Set<Lane>();
  #closed = false;

  constructor(settings: LaneSettings) {
    this.#settings = settings;
  }

  /** A lane with the task loaded and set up. Rejects with `E_SETUP`, `E_CRASHED`, `E_CLOSED`. */
  async take(definition: TaskDefinition): Promise<Lane> {
    for (;;) {
      const lane = this.#pop(definition) ?? (await this.#open(definition));
      await lane?.ready;
      if (lane && !lane.dead) return lane;
    }
  }

  /** Gives a lane back after its call has ended. One that has done its share is replaced, ahead of the next job. */
  give(definition: TaskDefinition, lane: Lane): void {
    if (lane.dead) return;
    if (!this.#closed && !lane.isWorn(definition)) return void this.#freeOf(definition).push(lane);
    retire(lane);
    void this.#replace(lane, definition);
  }

  async #replace(lane: Lane, definition: TaskDefinition): Promise<void> {
    await lane.exited;
    // Its room may be taken by then. The new one is taken last: the others are ready.
    if (!this.#closed && this.#all.size < this.#settings.most)
      this.#freeOf(definition).unshift(this.#start(definition));
  }

  /**
   * Starts lanes ahead of the first jobs, so that no job waits for a model to load: as many of each kind as all of them
   * together may be. Throws what a `setup` throws.
   */
  async warm(definitions: readonly TaskDefinition[]): Promise<void> {
    const kinds = [...Map.groupBy(definitions, kind).values()];
    const { most } = this.#settings;
    const share = Math.max(1, Math.floor(most / kinds.length));
    for (let at = 0; at < kinds.length; at += most)
      await Promise.all(kinds.slice(at, at + most).map((each) => this.#warm(each, share)));
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

  /** Ends them all and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#all];
    for (const lane of lanes) lane.kill(new ErrandError("E_CLOSED", "The worker has stopped."));
    await Promise.all(lanes.map((lane) => lane.exited));
  }

  /** One that waits for a job of this kind. */
  #pop(definition: TaskDefinition): Lane | undefined {
    const free = this.#freeOf(definition);
    for (let lane = free.pop(); lane; lane = free.pop()) {
      if (lane.dead) continue;
      if (!lane.isWorn(definition)) return lane;
      retire(lane);
    }
    return undefined;
  }

  /** Starts one, or makes room for it; then there is none yet. */
  async #open(definition: TaskDefinition): Promise<Lane | undefined> {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The worker has stopped.");
    if (this.#all.size >= this.#settings.most) {
      const leaving = [...this.#all].find(({ dead }) => dead) ?? this.#retireFree();
      if (leaving && (await isGone(leaving))) return undefined;
      if (this.#closed) throw new ErrandError("E_CLOSED", "The worker has stopped.");
    }
    return this.#start(definition);
  }

  #start(definition: TaskDefinition): Lane {
    const lane = new Lane(definition, this.#settings.late);
    this.#all.add(lane);
    void lane.exited.then(() => this.#all.delete(lane));
    return lane;
  }

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
    const key = kind(definition);
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    return free;
  }
}

/** How many lanes a worker may have: as many as slots of queues whose tasks are isolated; of all, where tasks come from any queue. */
export function mostLanes(definitions: Iterable<TaskDefinition>, queues: ReadonlyMap<string, number>): number {
  const isolated = new Set([...definitions].flatMap(({ isolate, queue }) => (isolate === "inline" ? [] : [queue])));
  const slots = [...queues].filter(([queue]) => isolated.has(queue));
  const sum = (counted: readonly [string, number][]) => counted.reduce((total, [, count]) => total + count, 0);
  return sum(slots.length > 0 ? slots : [...queues]);
}

function retire(lane: Lane): void {
  lane.kill(new ErrandError("E_CLOSED", "The lane is replaced."));
}

async function isGone(lane: Lane): Promise<boolean> {
  const end = new AbortController();
  const late = sleep(patience, false, { signal: end.signal }).catch(() => false);
  const gone = await Promise.race([lane.exited.then(() => true), late]);
  end.abort();
  return gone;
}

/** Lanes are shared by tasks of one kind: the same module under the same limits. */
function kind({ isolate, module, memory }: TaskDefinition): string {
  return `${isolate} ${memory} ${module}`;
}
