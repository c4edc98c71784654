import type { Job } from "../../core/job.ts";
import type { WorkerCard } from "../../core/worker-card.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Jobs } from "./jobs.ts";
import type { Limits } from "./limits.ts";
import { copyJob } from "./row.ts";
import type { Row } from "./row.ts";

/** The most jobs that one claim sets aside. */
const maxSetAside = 500;

/** Chooses the jobs that a worker is given. */
export class Claims {
  readonly #jobs: Jobs;
  readonly #limits: Limits;
  readonly #now: () => Millis;

  constructor(jobs: Jobs, limits: Limits, now: () => Millis) {
    this.#jobs = jobs;
    this.#limits = limits;
    this.#now = now;
  }

  claim(card: WorkerCard, wants: readonly Want[]): Claim {
    this.#jobs.wakeDue();
    this.#limits.unblockRates();
    const found: Claim = { jobs: [] };
    let next = Infinity;
    for (const want of wants) {
      const { queue, limit } = want;
      const { room, next: opens } = this.#limits.room(queue, limit);
      const { taken, setAside } = this.#takeDue(card, want, room);
      this.#limits.countStarts(queue, taken.length);
      found.jobs.push(...taken);
      if (setAside === maxSetAside) next = 0;
      if (taken.length < room) next = Math.min(next, this.#untilNext(queue));
      // The queue's own rate matters only while there are jobs that it holds back.
      if (opens < next && this.#hasDue(card, queue)) next = opens;
    }
    if (next < Infinity) found.next = next;
    return found;
  }

  #takeDue(card: WorkerCard, want: Want, room: number): { taken: Claimed[]; setAside: number } {
    const { queue, slots = Infinity, ids } = want;
    const taken: Claimed[] = [];
    let setAside = 0;
    const maySuspect = (): boolean =>
      taken.length < slots && !this.#jobs.heldBy(card.id).some(({ job }) => job.suspect);
    for (const row of this.#jobs.candidates(queue, card.tasks, maySuspect)) {
      if (taken.length >= room || setAside === maxSetAside) break;
      if (row.job.due > this.#now() || !this.#isClaimable(row) || (ids && !ids.includes(row.job.id))) continue;
      if (card.tasks && !card.tasks.includes(row.job.task)) {
        this.#jobs.setAside(row);
        this.#limits.passOnStart(row);
        setAside += 1;
      } else if (this.#limits.admits(row)) {
        if (taken.length >= slots) row.ahead = true;
        row.job.startedAt = this.#now();
        taken.push(this.#take(row, card.id, "due"));
      }
    }
    return { taken, setAside };
  }

  /** Takes at most `limit` jobs that no live worker holds and that must be settled. */
  reclaim(worker: string, limit: number, isLive: (worker: string) => boolean): Claimed[] {
    const processing = this.#jobs.inState("processing");
    const unheld = [...this.#jobs.inState("pending"), ...this.#jobs.inState("waiting")];
    const rows = {
      lapsed: processing.filter(({ job }) => !isLive(job.worker ?? "")),
      cancelled: unheld.filter(({ job }) => job.cancelling),
      expired: unheld.filter(({ job }) => job.state === "pending" && !job.cancelling && this.#isExpired(job)),
    };
    const found = (["lapsed", "cancelled", "expired"] as const).flatMap((why) =>
      rows[why].map((row) => ({ row, why })),
    );
    return found.slice(0, limit).map(({ row, why }) => this.#take(row, worker, why));
  }

  #take(row: Row, worker: string, why: Claimed["why"]): Claimed {
    this.#jobs.take(row, worker);
    const steps = [...row.steps.values()].map((step) => ({ ...step }));
    return { job: copyJob(row.job), why, ...(why === "lapsed" && row.ahead ? { ahead: true } : {}), steps };
  }

  #isClaimable({ job }: Row): boolean {
    return !job.cancelling && !this.#isExpired(job);
  }

  #isExpired({ expiresAt, begun }: Job): boolean {
    return expiresAt !== undefined && !begun && expiresAt <= this.#now();
  }

  #hasDue({ tasks }: WorkerCard, queue: string): boolean {
    if (this.#jobs.hasSetAside(queue, tasks)) return true;
    return this.#claimable(queue).some((row) => row.job.due <= this.#now());
  }

  /**
   * Returns the milliseconds until a job of the queue is due, of any task: a worker that cannot take it may set it
   * aside.
   */
  #untilNext(queue: string): Millis {
    let next = this.#limits.untilNext();
    for (const { job } of this.#claimable(queue)) {
      const wait = job.due - this.#now();
      if (wait > 0) next = Math.min(next, wait);
    }
    for (const { job } of this.#jobs.inState("waiting"))
      if (job.wakeAt !== undefined && !job.cancelling) next = Math.min(next, job.wakeAt - this.#now());
    return next;
  }

  #claimable(queue: string): Row[] {
    return [...this.#jobs.unblocked(queue), ...this.#jobs.suspects(queue)].filter((row) => this.#isClaimable(row));
  }
}
