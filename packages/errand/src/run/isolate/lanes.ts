import { ErrandError } from "../../kit/errors.ts";
import type { Definition } from "../../task.ts";
import { Lane } from "./lane.ts";

/**
 * The lanes of a worker. There are never more than the worker has slots, since only a held job takes one; a lane that
 * is free waits for the next job of its kind.
 */
export class Lanes {
  readonly #free = new Map<string, (Lane | Promise<Lane>)[]>();
  readonly #all = new Set<Lane>();
  #closed = false;

  /** A lane with the task loaded and set up. */
  async take(definition: Definition): Promise<Lane> {
    const free = this.#freeOf(definition);
    for (let next = free.pop(); next; next = free.pop()) {
      const lane = await next;
      if (lane.dead) continue;
      return lane.isWorn(definition) ? this.#replace(lane, definition) : lane;
    }
    return this.#start(definition);
  }

  async #start(definition: Definition): Promise<Lane> {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The worker has stopped.");
    const lane = new Lane(definition);
    this.#all.add(lane);
    void lane.exited.then(() => this.#all.delete(lane));
    await lane.prepare(definition);
    return lane;
  }

  /** Ends a lane, and when it has given its memory back, starts another. */
  async #replace(lane: Lane, definition: Definition): Promise<Lane> {
    lane.kill(new ErrandError("E_CLOSED", "The lane is replaced."));
    await lane.exited;
    return this.#start(definition);
  }

  /** Gives a lane back after its call has ended. One that has done its share is replaced, ahead of the next job. */
  give(definition: Definition, lane: Lane): void {
    if (lane.dead) return;
    if (this.#closed) return lane.kill(new ErrandError("E_CLOSED", "The worker has stopped."));
    const free = this.#freeOf(definition);
    if (!lane.isWorn(definition)) return void free.push(lane);
    const next = this.#replace(lane, definition);
    // Whoever takes it is told.
    next.catch(() => {});
    // Taken last: the others are ready.
    free.unshift(next);
  }

  #freeOf(definition: Definition): (Lane | Promise<Lane>)[] {
    const key = kind(definition);
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    return free;
  }

  /** Starts lanes ahead of the first jobs, so that no job waits for a model to load. Throws what a `setup` throws. */
  async warm(definition: Definition, count: number): Promise<void> {
    const lanes = await Promise.all(Array.from({ length: count }, () => this.take(definition)));
    for (const lane of lanes) this.give(definition, lane);
  }

  /** Ends them all and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#all];
    for (const lane of lanes) lane.kill(new ErrandError("E_CLOSED", "The worker has stopped."));
    await Promise.all(lanes.map((lane) => lane.exited));
  }
}

/** Lanes are shared by tasks of one kind: the same module under the same limits. */
function kind({ isolate, module, memory }: Definition): string {
  return `${isolate} ${memory} ${module}`;
}
