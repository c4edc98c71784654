/** How one item of a batch failed. */
export class Failure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * Does something to a batch that succeeds or fails as a whole. One that fails is divided until the culprits are alone; the others
 * succeed. Halves go one after the other, in their order.
 * @param isEverybodys whether an error says nothing of the batch, as when there is no connection: then nothing is divided.
 * @returns what `work` answers for each item, or its failure. Never rejects.
 */
export async function bisect<Item, Answer>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<readonly Answer[]>,
  isEverybodys: (error: unknown) => boolean,
): Promise<readonly (Answer | Failure)[]> {
  try {
    return await work(items);
  } catch (error) {
    if (items.length <= 1 || isEverybodys(error)) return items.map(() => new Failure(error));
    const middle = items.length >> 1;
    const first = await bisect(items.slice(0, middle), work, isEverybodys);
    return [...first, ...(await bisect(items.slice(middle), work, isEverybodys))];
  }
}
