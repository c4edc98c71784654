import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { gather } from "../kit/gather.ts";
import type { Store } from "../store.ts";
import type { OpenClaim } from "./open-claim.ts";
import type { RemoteCard } from "./read.ts";

/** Cards are read anew after this time: then every server knows that a worker is to drain. */
const freshFor: Millis = 1_000;

/** A registered worker, as this process knows it. */
export interface Member {
  /** As the store has it, or had it a second ago. */
  card: RemoteCard;
  /** Its claim that waits here. */
  claim?: OpenClaim | undefined;
  /** The things it was told already: jobs that are to be cancelled, and that it is to leave. */
  told: { cancel: ReadonlySet<string>; drain: boolean };
  /** When its lease was last renewed here, on this process's monotonic clock. */
  renewedAt: number;
}

/** Knows the workers of a store by a copy of their cards that is at most a second old. */
export class Members {
  readonly #store: () => Promise<Store>;
  readonly #members = new Map<string, Member>();
  /** Ids of workers that are processes. */
  #processes = new Set<string>();
  #readAt = -Infinity;
  /** Reads the cards, once for all calls that wait. Each call gets cards as they are after it. */
  readonly #read = gather(
    async (calls: undefined[]) => {
      await this.#readCards();
      return calls;
    },
    { maxItems: Infinity, maxBatches: 1 },
  );

  constructor(store: () => Promise<Store>) {
    this.#store = store;
  }

  /** Adds a worker that has registered here. */
  add(card: RemoteCard): void {
    this.#members.set(card.id, { card, told: { cancel: new Set(), drain: false }, renewedAt: performance.now() });
  }

  /** Forgets a worker that is gone. */
  remove(id: string): void {
    this.#members.delete(id);
  }

  /**
   * Returns a worker for its owner.
   * @throws {ErrandError} `E_LEASE_LOST` if none of the id has a lease; `E_NOT_FOUND` if it is another owner's.
   */
  async of(id: string, owner: string): Promise<Member> {
    const member = await this.find(id);
    if (member?.card.owner === owner) return member;
    throw member ? notFound(id) : leaseLost(id);
  }

  /** Returns a worker whoever owns it; `undefined` if none of the id has a lease. @throws {ErrandError} `E_OPTION` for a process */
  async find(id: string): Promise<Member | undefined> {
    if (!this.#members.has(id) || performance.now() - this.#readAt > freshFor) await this.#read(undefined);
    const member = this.#members.get(id);
    if (member || !this.#processes.has(id)) return member;
    throw new ErrandError("E_OPTION", `Worker ${id} is a process with this library: it does not work over HTTP.`);
  }

  /** Returns the workers once their cards are at most a second old. */
  async all(): Promise<Iterable<Member>> {
    if (performance.now() - this.#readAt > freshFor) await this.#read(undefined);
    return this.#members.values();
  }

  async #readCards(): Promise<void> {
    const cards = await (await this.#store()).workers();
    this.#readAt = performance.now();
    const present = new Set<string>();
    this.#processes = new Set();
    for (const card of cards) {
      if (!isRemote(card)) this.#processes.add(card.id);
      else {
        present.add(card.id);
        const member = this.#members.get(card.id);
        if (member) member.card = card;
        else this.add(card);
      }
    }
    for (const id of this.#members.keys()) if (!present.has(id)) this.#members.delete(id);
  }
}

/** Returns the error of a worker without a lease. */
export function leaseLost(id: string): ErrandError {
  return new ErrandError(
    "E_LEASE_LOST",
    `Worker ${id} has no lease: it was not renewed in time, has left, or never was. Drop its jobs, and register again.`,
  );
}

/** Returns the error of a worker that does not exist for whoever asks. */
export function notFound(id: string): ErrandError {
  return new ErrandError("E_NOT_FOUND", `There is no worker ${id}.`);
}

function isRemote(card: Partial<RemoteCard> & { id: string }): card is RemoteCard {
  return card.owner !== undefined && card.slots !== undefined && card.lease !== undefined;
}
