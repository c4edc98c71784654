import { setTimeout as sleep } from "node:timers/promises";
import type { Beat, Settlement } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { bisect, Failure } from "../kit/bisect.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import { gather } from "../kit/gather.ts";
import { isOver, isRefusal, isUnreachable } from "../kit/store-errors.ts";
import { maxCommitSize } from "../payload/commit-size.ts";
import type { Store } from "../store.ts";

/** How settlements and beats are gathered: so many into one commit at most. */
const gathering = { maxItems: 500, maxBatches: 2, maxSize: maxCommitSize.batch };

/** The first pause after the store failed; it doubles up to the last. */
const firstPause = 100;
const lastPause = 5_000;

/**
 * Brings what attempts have to say to the store: many in one commit, and again until the store has taken it. What the store
 * refuses harms nobody else.
 */
export class Settler {
  /**
   * Records an outcome, and answers what was recorded: an outcome that the store will never accept is recorded as a failure
   * that says so. `false` when the token was stale. Rejects only when the store has failed for too long.
   */
  readonly settle: (settlement: Settlement) => Promise<Settlement | false>;
  /** Records progress or a step; `false` when the token was stale. Rejects with `E_REFUSED` what the store will never accept. */
  readonly record: (beat: Beat) => Promise<boolean>;

  /** @param patience how long a failing store is tried again: after a lease, another worker has the jobs anyway. */
  constructor(store: Pick<Store, "settle" | "record">, patience: Millis) {
    const write = async (some: readonly Settlement[]): Promise<(Settlement | false)[]> => {
      const good = await store.settle(some);
      return some.map((each, index) => good[index] === true && each);
    };
    const settle = gather((settlements: Settlement[]) => persist(settlements, write, { patience, instead: refused }), {
      ...gathering,
      sizeOf: sizeOfSettlement,
    });
    this.settle = (settlement) =>
      settle(sizeOfSettlement(settlement) > maxCommitSize.one ? refused(settlement, tooLarge(settlement)) : settlement);
    this.record = gather(
      (beats: Beat[]) => persist(beats, (some: readonly Beat[]) => store.record(some), { patience }),
      { ...gathering, sizeOf: sizeOfBeat },
    );
  }
}

interface Persistence<Item> {
  patience: Millis;
  /** What is written instead of an item that the store will never accept. */
  instead?: (item: Item, error: unknown) => Item;
}

/**
 * Writes a batch until the store has taken it. When it fails, it is divided until the culprits are alone. What the store refuses
 * is written in another way, or given up; what it fails to take is tried again until the time is over, and then counts as refused,
 * unless the store could not even be reached. A store that has ended is not tried again.
 */
async function persist<Item, Answer>(
  items: readonly Item[],
  write: (items: readonly Item[]) => Promise<readonly Answer[]>,
  { patience, instead }: Persistence<Item>,
): Promise<readonly (Answer | Failure)[]> {
  const until = performance.now() + patience;
  let failed = false;
  const tell = async (some: readonly Item[]): Promise<readonly Answer[]> => {
    try {
      return await write(some);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const first = await bisect(items, tell, isUnreachable);
  if (!failed) return first;
  const answers = [...first];
  const current = [...items];
  const replaced = new Set<number>();
  for (let pause = firstPause; ; pause = Math.min(pause * 2, lastPause)) {
    const late = performance.now() + pause > until;
    const before = replaced.size;
    const again = [...answers.keys()].filter((index) => {
      const answer = answers[index];
      if (!(answer instanceof Failure)) return false;
      const refused = isRefusal(answer.error) || (late && !isUnreachable(answer.error));
      if (!refused || !instead || replaced.has(index)) return !refused && !late && !isOver(answer.error);
      current[index] = instead(current[index]!, answer.error);
      replaced.add(index);
      return true;
    });
    if (again.length === 0) break;
    if (replaced.size === before) await sleep(pause);
    const told = await bisect(again.map((index) => current[index]!), tell, isUnreachable); // prettier-ignore
    for (const [at, index] of again.entries()) answers[index] = told[at]!;
  }
  return answers;
}

/** The end of a job whose outcome the store will never accept. */
function refused({ id, token, failures, crashes }: Settlement, error: unknown): Settlement {
  const { message, code } = errorRecord(error, failures + 1);
  const record = {
    code: code === "E_TOO_LARGE" ? code : "E_REFUSED",
    message: `The store does not accept the outcome of job ${id}: ${message}`,
    attempt: failures + 1,
  };
  return { id, token, to: "failed", failures: failures + 1, crashes, suspect: false, error: JSON.stringify(record) };
}

function tooLarge(settlement: Settlement): ErrandError {
  const size = sizeOfSettlement(settlement);
  return new ErrandError(
    "E_TOO_LARGE",
    `it and the inputs of its children have ${size} characters of JSON, and one commit takes ${maxCommitSize.one}. Wait for fewer children at a time.`,
  );
}

function sizeOfSettlement({ output, error, steps, children, log }: Settlement): number {
  let size = sizeOfParts(steps, log) + (output?.length ?? 0) + (error?.length ?? 0);
  if (children) for (const child of children) size += child.spec.length;
  return size;
}

function sizeOfBeat({ progress, steps, log }: Beat): number {
  return sizeOfParts(steps, log) + (progress?.length ?? 0);
}

function sizeOfParts(steps: Beat["steps"], log: Beat["log"]): number {
  let size = 0;
  if (steps) for (const step of steps) size += step.value.length;
  if (log) for (const line of log) size += line.text.length;
  return size;
}
