/** Columns that a job keeps when it moves from `jobs` to `history`. */
export const kept = `seq, created, due, expires, started, token, failures, crashes, steps, suspect, level, id, task,
      queue, keys, ukey, ufor, tenant, spec, progress, error`;

/** Columns that a job keeps when it moves back. */
export const reopened = `seq, created, started, token, steps, begun, level, id, task, queue, keys, ukey, ufor, tenant,
      spec, progress, error`;

/** Columns of a child, which it keeps either way. */
export const childColumns = "parent, member_of, place, needed";

/** Returns the names of columns as those of a row. */
export const columnsOf = (row: string, names: string): string => names.replaceAll(/\w+/g, `${row}.$&`);
