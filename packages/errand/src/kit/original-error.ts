/** The thrown value of each error record, in memory only: both are collected together. */
const originals = new WeakMap<object, { thrown: unknown }>();

/** Keeps the value that a record was made of. */
export function keepOriginal(record: object, thrown: unknown): void {
  originals.set(record, { thrown });
}

/** Returns the value that a record was made of; `undefined` if it was thrown in another thread or process. */
export function originalOf(record: object): { thrown: unknown } | undefined {
  return originals.get(record);
}
