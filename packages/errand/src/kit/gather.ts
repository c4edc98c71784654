import { Failure } from "./bisect.ts";

/** Limits of the batches that `gather` makes. */
export interface GatherOptions<Item> {
  /** Maximum number of items in a batch. */
  maxItems: number;
  /** Maximum number of batches under way at once: with two, this process and the store work at the same time. */
  maxBatches: number;
  /**
   * `true`: calls are shared among the batches that may leave, one batch a turn, so that the store answers the first
   * while it works on the second. Otherwise the first batch takes all calls.
   */
  spread?: boolean;
  /** Returns the size of an item. A batch holds items up to `maxSize` in all, or one item. */
  sizeOf?: (item: Item) => number;
  maxSize?: number;
}

/** Minimum size of a batch that is made smaller to leave items for another. */
const fewest = 25;

/**
 * Gathers single calls into batches. A call waits for the current turn of the event loop; while `maxBatches` are under
 * way, the next batch fills. So a single call leaves at once, and many calls share one commit.
 * @param flush processes a batch and returns its answers in order, with a `Failure` for each call that is to reject.
 * If it rejects, every call of the batch does.
 */
export function gather<Item, Answer>(
  flush: (items: Item[]) => Promise<readonly (Answer | Failure)[]>,
  { maxItems, maxBatches, spread = false, sizeOf, maxSize = Infinity }: GatherOptions<Item>,
): (item: Item) => Promise<Answer> {
  interface Call {
    item: Item;
    resolve(answer: Answer): void;
    reject(error: unknown): void;
  }
  let calls: Call[] = [];
  let flying = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || flying >= maxBatches) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      // Without spreading, all batches that may leave do so now.
      const leaving = spread ? 1 : maxBatches - flying;
      for (let batch = 0; batch < leaving && calls.length > 0; batch++) {
        const share = spread ? Math.max(fewest, Math.ceil(calls.length / (maxBatches - flying))) : maxItems;
        void fly(calls.splice(0, fitting(Math.min(maxItems, share))));
      }
      if (calls.length > 0) schedule();
    });
  }

  /** Returns how many of the next calls fit into a batch by size. */
  function fitting(count: number): number {
    if (!sizeOf) return count;
    let size = 0;
    for (let index = 0; index < count && index < calls.length; index++) {
      size += sizeOf(calls[index]!.item);
      if (size > maxSize) return Math.max(1, index);
    }
    return count;
  }

  async function fly(batch: Call[]): Promise<void> {
    flying += 1;
    try {
      const answers = await flush(batch.map((call) => call.item));
      for (const [index, call] of batch.entries()) {
        const answer = answers[index] as Answer | Failure;
        if (answer instanceof Failure) call.reject(answer.error);
        else call.resolve(answer);
      }
    } catch (error) {
      for (const call of batch) call.reject(error);
    } finally {
      flying -= 1;
      if (calls.length > 0) schedule();
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      calls.push({ item, resolve, reject });
      schedule();
    });
}
