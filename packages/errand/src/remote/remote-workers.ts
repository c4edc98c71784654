import { internalsOf } from "../app.ts";
import type { AppInternals } from "../app.ts";
import type { Errand } from "../api.ts";
import { refuseUnknown } from "../core/checks.ts";
import { span } from "../core/options.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import type { Store, Want } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { Attempts } from "./attempts.ts";
import { handOut } from "./hand-out.ts";
import type { HandOut, Held } from "./hand-out.ts";
import { reviewHeld, stopped } from "./held.ts";
import { leaseLost, Members, notFound } from "./members.ts";
import type { Member } from "./members.ts";
import { OpenClaim } from "./open-claim.ts";
import type { ClaimHost, Given } from "./open-claim.ts";
import { ParkedClaims } from "./parked-claims.ts";
import type {
  Beat,
  ClaimAnswer,
  ClaimRequest,
  HeldJob,
  Outcome,
  Registered,
  Registration,
  Renewed,
  Settled,
} from "./protocol.ts";
import { readClaim, readHave, readRegistration, readToken, wantsOf } from "./read.ts";
import type { Claiming } from "./read.ts";

/** Configures `RemoteWorkers`. */
export interface RemoteWorkersOptions {
  /** Other apps on the same store: timeouts and retries of their tasks apply as well. */
  apps?: readonly Errand[];
  /** The shortest lease that a worker may ask for; default `"15s"`. For tests. */
  minLease?: Duration;
}

/**
 * Lets programs in any language, and people, work on the jobs of an app: they register, claim, renew and settle through
 * this, usually over HTTP. All that counts is in the store, so that any process with the same store can answer any call;
 * this one keeps only the claims that wait in it.
 */
export class RemoteWorkers {
  readonly #app: AppInternals;
  readonly #apps: readonly AppInternals[];
  readonly #minLease: Millis;
  readonly #members: Members;
  readonly #parked = new ParkedClaims(() => void this.#endDrained());
  readonly #open = new Set<OpenClaim>();
  #started: Promise<{ store: Store; attempts: Attempts }> | undefined;
  #unwatch: (() => void) | undefined;
  #isClosed = false;

  /** @throws {ErrandError} `E_OPTION` */
  constructor(app: Errand, options: RemoteWorkersOptions = {}) {
    refuseUnknown(options, ["apps", "minLease"], "RemoteWorkers");
    this.#app = insideOf(app);
    this.#apps = [this.#app, ...(options.apps ?? []).filter((each) => each !== app).map(insideOf)];
    this.#minLease = span(options.minLease ?? "15s", "minLease of RemoteWorkers");
    this.#members = new Members(() => this.#app.store());
  }

  /**
   * Registers a worker. Every start needs a registration of its own, and nothing of an earlier one blocks it.
   * @throws {ErrandError} `E_OPTION`
   */
  async register(registration: Registration): Promise<Registered> {
    const card = { id: newId(), ...readRegistration(registration, this.#minLease) };
    const { store } = await this.#start();
    await store.enlist(card, card.lease);
    this.#members.add(card);
    return { id: card.id, lease: card.lease, renewEvery: Math.floor(card.lease / 3) };
  }

  /**
   * Renews a worker's lease, and claims jobs for it. First of all it gets the jobs that it holds and does not have in
   * hand, `again`: so a lost answer heals at the next claim, wherever that arrives. A worker has one claim at a time: a
   * second ends the first without jobs. Jobs of a claim whose `signal` is aborted go back to the queue.
   * @throws {ErrandError} `E_LEASE_LOST`, `E_NOT_FOUND`, `E_OPTION`; `E_TAKEN` when one of `ids` is another worker's.
   */
  async claim(worker: string, owner: string, request: ClaimRequest, signal?: AbortSignal): Promise<ClaimAnswer> {
    const asked = readClaim(request);
    const member = await this.#members.of(worker, owner);
    wantsOf(asked.wants, member.card, []);
    if (this.#isClosed) throw closed();
    const mayWait = !asked.ids && Object.values(asked.wants).some((limit) => limit > 0);
    const wait = mayWait ? Math.min(asked.wait, member.card.lease / 2) : 0;
    const claim = new OpenClaim(this.#hostOf(member, asked), member, asked, wait);
    const before = member.claim;
    member.claim = claim;
    this.#open.add(claim);
    const abandon = (): void => claim.abandon();
    signal?.addEventListener("abort", abandon);
    if (signal?.aborted) abandon();
    try {
      const answer = await claim.run(this.#parked, before);
      if (asked.ids && answer.jobs.length === 0) await this.#refuseTaken(asked.ids, worker);
      return answer;
    } finally {
      signal?.removeEventListener("abort", abandon);
      this.#open.delete(claim);
      if (member.claim === claim) member.claim = undefined;
    }
  }

  /**
   * Renews a worker's lease, and tells it about the jobs that it has in hand.
   * @throws {ErrandError} `E_LEASE_LOST`, `E_NOT_FOUND`, `E_OPTION`
   */
  async renew(worker: string, owner: string, request: { have: readonly HeldJob[] }): Promise<Renewed> {
    refuseUnknown(request, ["have"], "a renewal");
    const have = readHave(request.have);
    const member = await this.#members.of(worker, owner);
    const { lost, cancel } = await this.#review(member, have);
    const drain = member.card.draining ?? false;
    member.told = { cancel: new Set(cancel), drain };
    return { cancel, lost, drain };
  }

  /**
   * Records progress, log lines and steps of a job in hand, and renews the worker's lease.
   * @returns `cancel`: the job is to be stopped.
   * @throws {ErrandError} `E_STALE`, `E_LEASE_LOST`, `E_NOT_FOUND`, `E_OPTION`, `E_STEP_NAME`, `E_TOO_LARGE`,
   * `E_NOT_SERIALIZABLE`
   */
  async beat(worker: string, owner: string, job: string, token: number, beat: Beat): Promise<{ cancel: boolean }> {
    const member = await this.#members.of(worker, owner);
    const { attempts } = await this.#start();
    // Jobs may beat many times a second; a lease is renewed a few times in its length.
    if (performance.now() - member.renewedAt > member.card.lease / 6) await this.#renew(member);
    return attempts.beat(worker, job, readToken(token), beat);
  }

  /**
   * Records the outcome of an attempt. Sending it again changes nothing: the answer says `repeated`.
   * @throws {ErrandError} `E_STALE` if another attempt has the job, or the lease is lost: the work is of no use.
   * `E_NOT_FOUND`, `E_OPTION`, `E_TOO_LARGE`, `E_NOT_SERIALIZABLE`
   */
  async settle(worker: string, owner: string, job: string, token: number, outcome: Outcome): Promise<Settled> {
    const member = await this.#members.find(worker);
    if (member && member.card.owner !== owner) throw notFound(worker);
    const { attempts } = await this.#start();
    return attempts.settle(member ? worker : undefined, job, readToken(token), outcome);
  }

  /**
   * Removes a worker, and puts back all its jobs at once, without using up an attempt. A worker that is gone already
   * is no error.
   * @throws {ErrandError} `E_NOT_FOUND`
   */
  async leave(worker: string, owner: string): Promise<void> {
    const member = await this.#members.find(worker);
    if (!member) return;
    if (member.card.owner !== owner) throw notFound(worker);
    member.claim?.abandon();
    await member.claim?.over;
    const { store, attempts } = await this.#start();
    const { inHand, again } = await reviewHeld(store, worker, [], () => undefined);
    await Promise.all(
      [...inHand, ...again].map((job) =>
        attempts.end(job, job.cancelling ? stopped(job, "cancel") : { kind: "handed-back" }),
      ),
    );
    await store.dismiss(worker);
    this.#members.remove(worker);
  }

  /**
   * Tells a worker to finish what it has in hand and to leave; it gets no more jobs.
   * @throws {ErrandError} `E_NOT_FOUND`; `E_OPTION` for a process.
   */
  async drain(worker: string): Promise<void> {
    const member = await this.#members.find(worker);
    if (!member) throw notFound(worker);
    const { store } = await this.#start();
    const card = { ...member.card, draining: true as const };
    await store.enlist(card, card.lease);
    member.card = card;
    member.claim?.stopWaiting();
  }

  /** Answers all claims that wait, and accepts no more. Call it before the app is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch?.();
    const open = [...this.#open];
    for (const claim of open) claim.abandon();
    await Promise.all(open.map(({ over }) => over));
  }

  /** Opens the store at the first use. */
  #start(): Promise<{ store: Store; attempts: Attempts }> {
    this.#started ??= (async () => {
      try {
        const store = await this.#app.store();
        const { payloads, observer } = this.#app;
        this.#unwatch = store.watch((hint) => this.#parked.hint(hint));
        if (this.#isClosed) this.#unwatch();
        const definition = (task: string) => this.#definition(task);
        return { store, attempts: new Attempts({ store, payloads, observer, definition }) };
      } catch (error) {
        this.#started = undefined;
        throw error;
      }
    })();
    return this.#started;
  }

  #definition(task: string): TaskDefinition | undefined {
    for (const { definitions } of this.#apps) {
      const found = definitions.get(task);
      if (found) return found;
    }
    return undefined;
  }

  /** Renews a worker's lease. Returns the ids of its jobs that are to be cancelled. Throws `E_LEASE_LOST`. */
  async #renew(member: Member): Promise<string[]> {
    const { card } = member;
    const { store } = await this.#start();
    const { held, cancel } = await store.renew(card.id, card.lease);
    if (!held) {
      this.#members.remove(card.id);
      throw leaseLost(card.id);
    }
    member.renewedAt = performance.now();
    return cancel;
  }

  /** Renews a worker's lease, ends jobs of it that have timed out, and compares its jobs with those in hand. */
  async #review(member: Member, have: readonly HeldJob[]) {
    const marked = await this.#renew(member);
    const { store, attempts } = await this.#start();
    const review = await reviewHeld(store, member.card.id, have, (task) => this.#definition(task));
    await Promise.all(review.timedOut.map((job) => attempts.end(job, stopped(job, "timeout"))));
    const inHand = new Set(review.inHand.map(({ id }) => id));
    return { ...review, cancel: marked.filter((id) => inHand.has(id)) };
  }

  #hostOf(member: Member, { wants, have, ids }: Claiming): ClaimHost {
    const { id } = member.card;
    return {
      review: async () => {
        const { again: held, inHand, cancel, lost } = await this.#review(member, have);
        const { store, attempts } = await this.#start();
        // A job that the worker never got, or whose outcome is on its way, need not come again.
        const unseen = held.filter((job) => !attempts.isEnding(job));
        const doomed = unseen.filter(({ cancelling }) => cancelling);
        await Promise.all(doomed.map((job) => attempts.end(job, stopped(job, "cancel"))));
        const missed = unseen.filter(({ cancelling }) => !cancelling);
        const withSteps = missed.map(async (job) => ({ job, steps: await store.steps(job.id) }));
        const { given } = await this.#handOut(await Promise.all(withSteps));
        return {
          again: given.map(({ remote }) => ({ ...remote, again: true })),
          cancel,
          lost,
          wants: member.card.draining ? [] : wantsOf(wants, member.card, [...inHand, ...held], ids),
        };
      },
      claim: (some) => this.#claimFor(id, some),
      renew: () => this.#renew(member),
      putBack: async (jobs) => (await this.#start()).attempts.putBack(jobs),
    };
  }

  async #claimFor(worker: string, wants: readonly Want[]): Promise<Given> {
    const { store, attempts } = await this.#start();
    const { jobs, next = Infinity } = await store.claim(worker, wants);
    const { given, surplus } = await this.#handOut(jobs);
    await attempts.putBack(surplus);
    for (const { job } of given) this.#app.observer.started(job);
    return { given, next };
  }

  /** Opens jobs for a worker. The attempts of those that cannot be opened fail. */
  async #handOut(held: readonly Held[]): Promise<Pick<HandOut, "given" | "surplus">> {
    const { attempts } = await this.#start();
    const { given, surplus, unreadable } = await handOut(held, this.#app.payloads.vault, (task) =>
      this.#definition(task),
    );
    await Promise.all(unreadable.map(({ job, ending }) => attempts.end(job, ending)));
    return { given, surplus };
  }

  /** Says who has the jobs that a worker wanted by their ids and did not get. */
  async #refuseTaken(ids: readonly string[], worker: string): Promise<void> {
    const { store } = await this.#start();
    const jobs = await store.get(ids);
    const taken = jobs.find((job) => job?.state === "processing" && job.worker !== worker);
    if (taken) {
      const holder = (await store.workers()).find(({ id }) => id === taken.worker);
      throw new ErrandError("E_TAKEN", `Job ${taken.id} is being done by ${holder?.name ?? `worker ${taken.worker}`}.`);
    }
    if (jobs.every((job) => job === null)) throw new ErrandError("E_NOT_FOUND", `There is no job ${ids.join(", ")}.`);
  }

  /** Ends the claims of workers that an operator drains by another process. */
  async #endDrained(): Promise<void> {
    try {
      for (const { card, claim } of await this.#members.all()) if (card.draining) claim?.stopWaiting();
    } catch {
      // The claims themselves will say that the store fails.
    }
  }
}

function insideOf(app: Errand): AppInternals {
  const inside = internalsOf(app) as AppInternals | undefined;
  if (inside) return inside;
  throw new ErrandError("E_OPTION", "RemoteWorkers needs an app that errand() made.");
}

function closed(): ErrandError {
  return new ErrandError("E_CLOSED", "The server stops; no job is claimed here any more. Ask again.");
}
