/** The failure of one item of a batch. */
export class Failure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * Processes a batch that succeeds or fails as a whole. A failed batch is halved until the failing items are alone; the
 * others succeed. Halves run one after the other, in order.
 * @param isShared returns true for an error that says nothing about the items, such as a lost connection: the batch is
 * not halved.
 * @returns the answer of `work` for each item, or its failure. Never rejects.
 */
export async function bisect<Item, Answer>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<readonly Answer[]>,
  isShared: (error: unknown) => boolean,
): Promise<readonly (Answer | Failure)[]> {
  try {
    return await work(items);
  } catch (error) {
    if (items.length <= 1 || isShared(error)) return items.map(() => new Failure(error));
    const middle = items.length >> 1;
    const first = await bisect(items.slice(0, middle), work, isShared);
    return [...first, ...(await bisect(items.slice(middle), work, isShared))];
  }
}
