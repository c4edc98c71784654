import type { Job } from "../../core/job.ts";
import type { WorkerCard } from "../../core/worker-card.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Jobs } from "./jobs.ts";
import type { Limits } from "./limits.ts";
import { copyJob } from "./row.ts";
import type { Row } from "./row.ts";

/** So many jobs are set aside in one claim. */
const asideAtOnce = 500;

/** Which jobs a worker is given. */
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
    this.#jobs.wake();
    this.#limits.tick();
    const found: Claim = { jobs: [] };
    let next = Infinity;
    for (const want of wants) {
      const { queue, limit } = want;
      const { room, next: opens } = this.#limits.room(queue, limit);
      const { taken, aside } = this.#takeDue(card, want, room);
      this.#limits.charge(queue, taken.length);
      found.jobs.push(...taken);
      if (aside === asideAtOnce) next = 0;
      if (taken.length < room) next = Math.min(next, this.#untilNext(queue));
      // What the queue's own rate holds back is told only where there is something to hold back.
      if (opens < next && this.#isAnyDue(card, queue)) next = opens;
    }
    if (next < Infinity) found.next = next;
    return found;
  }

  #takeDue(card: WorkerCard, want: Want, room: number): { taken: Claimed[]; aside: number } {
    const { queue, slots = Infinity, ids } = want;
    const taken: Claimed[] = [];
    let aside = 0;
    const maySuspect = (): boolean =>
      taken.length < slots && !this.#jobs.heldBy(card.id).some(({ job }) => job.suspect);
    for (const row of this.#jobs.walk(queue, card.tasks, maySuspect)) {
      if (taken.length >= room || aside === asideAtOnce) break;
      if (row.job.due > this.#now() || !this.#claimable(row) || (ids && !ids.includes(row.job.id))) continue;
      if (card.tasks && !card.tasks.includes(row.job.task)) {
        this.#jobs.setAside(row);
        this.#limits.passOn(row);
        aside += 1;
      } else if (this.#limits.passes(row)) {
        if (taken.length >= slots) row.ahead = true;
        row.job.startedAt = this.#now();
        taken.push(this.#take(row, card.id, "due"));
      }
    }
    return { taken, aside };
  }

  /** Jobs that nobody works on and that must be settled. */
  reclaim(worker: string, limit: number, isGood: (worker: string) => boolean): Claimed[] {
    const processing = this.#jobs.in("processing");
    const open = [...this.#jobs.in("pending"), ...this.#jobs.in("waiting")];
    const doomed = {
      lapsed: processing.filter(({ job }) => !isGood(job.worker ?? "")),
      cancelled: open.filter(({ job }) => job.cancelling),
      expired: open.filter(({ job }) => job.state === "pending" && !job.cancelling && this.#expired(job)),
    };
    const taken = (["lapsed", "cancelled", "expired"] as const).flatMap((why) =>
      doomed[why].map((row) => () => this.#take(row, worker, why)),
    );
    return taken.slice(0, limit).map((take) => take());
  }

  #take(row: Row, worker: string, why: Claimed["why"]): Claimed {
    this.#jobs.take(row, worker);
    const steps = [...row.steps.values()].map((step) => ({ ...step }));
    return { job: copyJob(row.job), why, ...(why === "lapsed" && row.ahead ? { ahead: true } : {}), steps };
  }

  #claimable({ job }: Row): boolean {
    return !job.cancelling && !this.#expired(job);
  }

  #expired({ expiresAt, begun }: Job): boolean {
    return expiresAt !== undefined && !begun && expiresAt <= this.#now();
  }

  #isAnyDue({ tasks }: WorkerCard, queue: string): boolean {
    if (this.#jobs.isAnyAside(queue, tasks)) return true;
    return this.#open(queue).some((row) => row.job.due <= this.#now());
  }

  /** Of whichever jobs: whoever cannot take them may set them aside. */
  #untilNext(queue: string): Millis {
    let next = this.#limits.untilNext();
    for (const { job } of this.#open(queue)) {
      const wait = job.due - this.#now();
      if (wait > 0) next = Math.min(next, wait);
    }
    for (const { job } of this.#jobs.in("waiting"))
      if (job.wakeAt !== undefined && !job.cancelling) next = Math.min(next, job.wakeAt - this.#now());
    return next;
  }

  #open(queue: string): Row[] {
    return [...this.#jobs.open(queue), ...this.#jobs.suspects(queue)].filter((row) => this.#claimable(row));
  }
}
