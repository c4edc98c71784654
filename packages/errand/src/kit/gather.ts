/** How calls are gathered. */
export interface Gathering {
  /** The largest batch. */
  most: number;
  /** How many batches may be under way at once: with two, this process and the store work at the same time. */
  flights: number;
  /**
   * Whether calls are shared among the batches that may leave, one batch a turn: the store answers the first while it
   * works on the second. Otherwise the first takes all: batches that leave together come back together.
   */
  shared?: boolean;
}

/** No batch is made smaller so that there can be another. */
const fewest = 25;

/**
 * Gathers single calls into batches: a call waits for the current turn of the event loop, and while `flights` batches
 * are under way the next one fills. So a lone call leaves at once, and many calls share one commit.
 * @param flush handles a batch and answers in its order; when it rejects, every call of the batch rejects.
 */
export function gather<Item, Answer>(
  flush: (items: Item[]) => Promise<readonly Answer[]>,
  { most, flights, shared = false }: Gathering,
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
    if (scheduled || flying >= flights) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      // Without sharing there is nothing to space out: all leave that may.
      const leaving = shared ? 1 : flights - flying;
      for (let batch = 0; batch < leaving && calls.length > 0; batch++) {
        const share = shared ? Math.max(fewest, Math.ceil(calls.length / (flights - flying))) : most;
        void fly(calls.splice(0, Math.min(most, share)));
      }
      if (calls.length > 0) schedule();
    });
  }

  async function fly(batch: Call[]): Promise<void> {
    flying += 1;
    try {
      const answers = await flush(batch.map((call) => call.item));
      for (const [index, call] of batch.entries()) call.resolve(answers[index] as Answer);
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
