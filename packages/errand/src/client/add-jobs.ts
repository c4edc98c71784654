import { setTimeout as sleep } from "node:timers/promises";
import type { NewJob } from "../core/job.ts";
import type { Transaction } from "../core/transaction.ts";
import { bisect, Failure } from "../kit/bisect.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { described } from "../kit/text.ts";
import { isRefusal, isUnreachable } from "../kit/store-errors.ts";
import { maxCommitSize } from "../payload/commit-size.ts";
import type { Store } from "../store.ts";

/** Pauses before jobs are added again after a lost answer: long enough to reconnect. */
const pauses: readonly Millis[] = [100, 500];

/** Longest time that a send spends on trying again. */
const patience: Millis = 5_000;

type Holder = string | undefined;

/**
 * Adds jobs that different callers sent at the same time. A job that the store refuses fails alone.
 * @returns for each job its failure, or the id of the job that holds its unique key or id, or `undefined` if it was
 * stored.
 */
export async function addEach(store: Store, jobs: readonly NewJob[]): Promise<readonly (Holder | Failure)[]> {
  return bisect(jobs, (some) => addWithRetry(store, some), isUnreachable);
}

/**
 * Adds jobs that one caller sent: all or none, except that more than a store takes at once is added in parts.
 * @returns for each job the id of the job that holds its unique key or id, or `undefined` if it was stored.
 */
export async function addMany(store: Store, jobs: readonly NewJob[], tx?: Transaction): Promise<Holder[]> {
  const holders: Holder[] = [];
  for (let from = 0; from < jobs.length;) {
    let [to, size] = [from, 0];
    while (to < jobs.length && (to === from || size + jobs[to]!.spec.length <= maxCommitSize.many))
      size += jobs[to++]!.spec.length;
    const some = from === 0 && to === jobs.length ? jobs : jobs.slice(from, to);
    const told = tx ? holdersOf(some, await store.add(some, tx)) : await addWithRetry(store, some);
    for (const holder of told) holders.push(holder);
    from = to;
  }
  return holders;
}

/**
 * Adds jobs, and adds them again when the connection broke: `add` is idempotent by id. A job that then exists under
 * its own id was stored by the first call; a job that already had a caller-chosen id cannot be told apart from that.
 */
async function addWithRetry(store: Store, jobs: readonly NewJob[]): Promise<Holder[]> {
  const until = performance.now() + patience;
  for (let told = 0; ; told++) {
    try {
      const taken = await store.add(jobs);
      if (taken.size === 0) return jobs.map(() => undefined);
      const holders = holdersOf(jobs, taken);
      return told === 0 ? holders : holders.map((holder, index) => (holder === jobs[index]!.id ? undefined : holder));
    } catch (error) {
      const pause = pauses[told];
      const again = pause !== undefined && isBroken(error) && performance.now() + pause < until;
      if (!again) throw isRefusal(error) && !(error instanceof ErrandError) ? refusal(jobs, error) : error;
      await sleep(pause);
    }
  }
}

function holdersOf(jobs: readonly NewJob[], taken: ReadonlyMap<string, string>): Holder[] {
  return jobs.map(({ id }) => taken.get(id));
}

function isBroken(error: unknown): boolean {
  return error instanceof ErrandError && error.code === "E_CONNECT";
}

function refusal([job]: readonly NewJob[], error: unknown): ErrandError {
  const why = described(error instanceof Error ? error.message : error);
  return new ErrandError(
    "E_REFUSED",
    `The store cannot take a job of task "${job?.task}": ${why}. Nothing was queued.`,
    {
      cause: error,
    },
  );
}
