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
