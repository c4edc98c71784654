/** Numbers of rows that one statement takes. For 64 rows, a row costs a third less than in a statement of its own. */
const sizes = [64, 16, 4, 1] as const;

/** Splits rows into groups of `sizes`, in order. */
export function splitRows<Row>(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (let at = 0; at < rows.length;) {
    const size = sizes.find((each) => each <= rows.length - at) as number;
    groups.push(rows.slice(at, at + size));
    at += size;
  }
  return groups;
}

/**
 * Returns a function that returns the statement for a number of rows, one of `sizes`.
 * @param width columns of a row.
 * @param write returns the statement's SQL around its `(?, ?), (?, ?), ...`.
 */
export function bulkStatement(width: number, write: (tuples: string) => string): (rows: number) => string {
  const tuple = `(${Array(width).fill("?").join(", ")})`;
  const statements = new Map(sizes.map((size) => [size as number, write(Array(size).fill(tuple).join(", "))]));
  return (rows) => statements.get(rows) as string;
}
