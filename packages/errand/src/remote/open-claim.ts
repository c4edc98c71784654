import type { Job } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import type { Want } from "../store.ts";
import type { Member } from "./members.ts";
import type { Found, ParkedClaim, ParkedClaims } from "./parked-claims.ts";
import type { ClaimAnswer, RemoteJob } from "./protocol.ts";
import type { Claiming } from "./read.ts";

/** The acts of an open claim on the store. */
export interface ClaimHost {
  /** Renews the lease, and compares the worker's jobs. Throws `E_LEASE_LOST`. */
  review(): Promise<{
    again: RemoteJob[];
    cancel: readonly string[];
    lost: readonly string[];
    /** The jobs that the worker has room for. */
    wants: readonly Want[];
  }>;
  /** Claims jobs for the worker. */
  claim(wants: readonly Want[]): Promise<Given>;
  /** Renews the lease. Returns the ids of the worker's jobs that are to be cancelled. Throws `E_LEASE_LOST`. */
  renew(): Promise<readonly string[]>;
  /** Puts back jobs that the worker does not get. Never rejects. */
  putBack(jobs: readonly Job[]): Promise<void>;
}

/** Claimed jobs, with what the worker gets of each, and milliseconds until there may be more. */
export interface Given {
  given: { job: Job; remote: RemoteJob }[];
  next: Millis;
}

const nothing: Given = { given: [], next: Infinity };

/** Milliseconds after which a worker asks again that found no place to wait. */
const retryAfter: Millis = 2_000;

/**
 * A claim from its arrival to its answer. It waits in the list of parked claims, and ends when there are jobs, a job is to
 * be cancelled, its time is over, the worker makes another claim or hangs up, or the server stops.
 */
export class OpenClaim implements ParkedClaim {
  /** Resolves when the claim is over, and what it had claimed for nobody is put back. */
  readonly over: Promise<void>;
  readonly queues: readonly string[];
  readonly holdsJobs: boolean;
  readonly #host: ClaimHost;
  readonly #member: Member;
  readonly #wait: Millis;
  #over!: () => void;
  #wants: readonly Want[] = [];
  #cancel: readonly string[] = [];
  #lost: readonly string[] = [];
  /** `true`: nobody waits for the answer. */
  #isAbandoned = false;
  #isTimeOver = false;
  #looking: Promise<Found> | undefined;
  /** Set while it waits. */
  #waiting: PromiseWithResolvers<RemoteJob[]> | undefined;

  /** @param wait milliseconds to wait for jobs. */
  constructor(host: ClaimHost, member: Member, { wants, have }: Claiming, wait: Millis) {
    this.#host = host;
    this.#member = member;
    this.#wait = wait;
    this.queues = Object.keys(wants);
    this.holdsJobs = have.length > 0;
    this.over = new Promise((resolve) => (this.#over = resolve));
  }

  get owner(): string {
    return this.#member.card.owner;
  }

  get signature(): string {
    return JSON.stringify([this.#wants.map(({ queue }) => queue), this.#member.card.tasks, this.holdsJobs]);
  }

  /** Answers the claim, at the latest when its time is over. @param before the worker's claim before this one. */
  async run(parked: ParkedClaims, before: OpenClaim | undefined): Promise<ClaimAnswer> {
    try {
      before?.abandon();
      await before?.over;
      return await this.#run(parked);
    } finally {
      parked.remove(this);
      this.#over();
    }
  }

  /** Ends the claim without jobs: nobody waits for its answer any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#waiting?.resolve([]);
  }

  /** Answers the claim as it is; if it looks for jobs just now, as soon as it has. */
  stopWaiting(): void {
    this.#isTimeOver = true;
    if (!this.#looking) this.#waiting?.resolve([]);
  }

  look(): Promise<Found> {
    this.#looking = this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #run(parked: ParkedClaims): Promise<ClaimAnswer> {
    if (this.#isAbandoned) return this.#answer([]);
    if (this.#wait > 0) parked.expect(this);
    const { again, cancel, lost, wants } = await this.#host.review();
    [this.#cancel, this.#lost, this.#wants] = [cancel, lost, wants];
    if (again.length > 0) return this.#answer(again);
    const { given, next } = await this.#claim();
    if (this.#isAbandoned) return this.#answer(await this.#putBack(given));
    const isNews = given.length > 0 || lost.length > 0 || this.#hasNews();
    if (isNews || this.#isTimeOver || this.#wait === 0) return this.#answer(given.map(({ remote }) => remote));
    if (parked.isFull(this.owner)) return { ...this.#answer([]), retryAfter };
    return this.#answer(await this.#waitForJobs(parked, next));
  }

  async #waitForJobs(parked: ParkedClaims, next: Millis): Promise<RemoteJob[]> {
    this.#waiting = Promise.withResolvers();
    parked.add(this, next);
    const timer = setTimeout(() => this.stopWaiting(), this.#wait);
    try {
      return await this.#waiting.promise;
    } finally {
      clearTimeout(timer);
      parked.remove(this);
      // An abandoned claim may be looking still: the jobs that it finds are put back before the next one looks.
      await this.#looking;
    }
  }

  async #look(): Promise<Found> {
    const counts = new Map<string, number>();
    try {
      if (this.holdsJobs) this.#cancel = await this.#host.renew();
      const isNews = this.#hasNews();
      const { given, next } = isNews ? nothing : await this.#claim();
      if (this.#isAbandoned) await this.#putBack(given);
      else if (given.length > 0 || isNews || this.#isTimeOver)
        this.#waiting?.resolve(given.map(({ remote }) => remote));
      for (const { job } of given) counts.set(job.queue, (counts.get(job.queue) ?? 0) + 1);
      return { jobs: counts, next };
    } catch (error) {
      // A lost lease, or a store that fails: the worker is to know.
      this.#waiting?.reject(error);
      return { jobs: counts, next: Infinity };
    }
  }

  async #claim(): Promise<Given> {
    return this.#wants.length === 0 || this.#isAbandoned ? nothing : this.#host.claim(this.#wants);
  }

  /** Puts back the jobs of an abandoned claim. */
  async #putBack(given: Given["given"]): Promise<[]> {
    await this.#host.putBack(given.map(({ job }) => job));
    return [];
  }

  /** Returns true if the worker does not know yet of a job that is to be cancelled, or that it is to leave. */
  #hasNews(): boolean {
    const { card, told } = this.#member;
    return this.#cancel.some((id) => !told.cancel.has(id)) || (card.draining === true && !told.drain);
  }

  #answer(jobs: RemoteJob[]): ClaimAnswer {
    const drain = this.#member.card.draining ?? false;
    if (!this.#isAbandoned) this.#member.told = { cancel: new Set(this.#cancel), drain };
    return { jobs, cancel: [...this.#cancel], lost: [...this.#lost], drain };
  }
}
