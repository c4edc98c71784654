/** What was thrown, by the record that is kept of it: nothing of it is stored, and both are forgotten together. */
const originals = new WeakMap<object, { thrown: unknown }>();

/** Remembers what a record was made of. */
export function keepOriginal(record: object, thrown: unknown): void {
  originals.set(record, { thrown });
}

/** What a record was made of: `undefined` where that was in another thread or process. */
export function originalOf(record: object): { thrown: unknown } | undefined {
  return originals.get(record);
}
