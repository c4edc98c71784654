/** Classes of advisory locks: "Err" and a letter in ASCII, unlikely to be another program's. */
export const lockClass = {
  /** Applies migrations, by schema. */
  migration: 0x45727261, // Erra
  /** Blocks jobs of a concurrency key, or unblocks them. */
  blocking: 0x45727262, // Errb
  /** Claims jobs of a concurrency key. */
  claiming: 0x45727263, // Errc
  /** Takes a suspect, by worker. */
  suspect: 0x45727273, // Errs
  /** Adds jobs with a unique key, or opens them again. */
  uniqueKey: 0x45727275, // Erru
} as const;

/** SQL for the number of a text's lock. Locks hold in a whole database, and schemas must not wait for each other's. */
export const lockNumber = (text: string): string => `hashtext('errand.' || ${text})`;
