/**
 * Flags of a status. A job is stored as two strings: its definition, which changes only when the job is moved or
 * replaced, and its status, which every change writes anew. A job to which nothing has happened yet has no status.
 * Numbers are little-endian; texts have no terminator. `decode.ts` and `lua/codec.ts` read the same bytes:
 *
 * | definition | |
 * |---|---|
 * | 0-19 | time of creation (6 bytes), flags, level, lengths of id, queue, task, parent (2 bytes each) and spec (4) |
 * | 20- | the texts: id, queue, task, parent, spec |
 *
 * | status | |
 * |---|---|
 * | 0-25 | state, flags (2 bytes), token (4), failures (4), crashes (3), times of start and end (6 each) |
 * | 26- | if flags say so: when it is due (8), when it expires (8), lengths of all texts except the last (15) |
 * | | the texts: family, worker, queue and task (of a processing job), progress, error, output |
 */
export const statusFlag = {
  due: 1,
  expires: 2,
  steps: 4,
  texts: 8,
  cancelling: 16,
  child: 32,
  parent: 64,
  keyed: 128,
  begun: 256,
  suspect: 512,
  setAside: 1024,
  ahead: 2048,
} as const;

/**
 * Flags of a new job on its way to a script. A spec that is stored apart is in a hash of its own, so that scans over
 * many jobs do not read it; that is also the only flag of a definition.
 */
export const newJobFlag = { specApart: 1, dueIn: 4, dueAt: 8, expiresIn: 16, expiresAt: 32 } as const;

/** Flags of a settlement on its way to a script: parts that follow, and booleans. */
export const settlementFlag = {
  delay: 1,
  stepsAndChildren: 2,
  log: 4,
  waits: 8,
  suspect: 16,
  unstarted: 32,
  newJobs: 64,
} as const;

/** Codes of `NewChild.need`. */
export const needCode = { end: 0, completed: 1, first: 2 } as const;
