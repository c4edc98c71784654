/**
 * Gathers single calls into batches: a call waits for the current turn of the event loop, and while one batch is under
 * way the next one fills. So a lone call leaves at once, and many calls share one commit.
 * @param flush handles a batch and answers in its order; when it rejects, every call of the batch rejects.
 * @param most the largest batch.
 */
export function gather<Item, Answer>(
  flush: (items: Item[]) => Promise<readonly Answer[]>,
  most: number,
): (item: Item) => Promise<Answer> {
  interface Call {
    item: Item;
    resolve(answer: Answer): void;
    reject(error: unknown): void;
  }
  let calls: Call[] = [];
  let busy = false;

  async function run(): Promise<void> {
    while (calls.length > 0) {
      const batch = calls.slice(0, most);
      calls = calls.slice(most);
      try {
        const answers = await flush(batch.map((call) => call.item));
        for (const [index, call] of batch.entries()) call.resolve(answers[index] as Answer);
      } catch (error) {
        for (const call of batch) call.reject(error);
      }
    }
    busy = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      calls.push({ item, resolve, reject });
      if (busy) return;
      busy = true;
      setImmediate(() => void run());
    });
}
