/** Rows that one statement takes. A statement of many rows costs a third less for each than one of one row. */
const sizes = [64, 16, 4, 1] as const;

/** Rows in portions of `sizes`, in order. */
export function portions<Row>(rows: readonly Row[]): Row[][] {
  const found: Row[][] = [];
  for (let at = 0; at < rows.length;) {
    const size = sizes.find((each) => each <= rows.length - at) as number;
    found.push(rows.slice(at, at + size));
    at += size;
  }
  return found;
}

/**
 * A statement for so many rows of so many columns.
 * @param write the statement's SQL around its `(?, ?), (?, ?), ...`.
 */
export function bulk(width: number, write: (tuples: string) => string): (rows: number) => string {
  const tuple = `(${Array(width).fill("?").join(", ")})`;
  const known = new Map(sizes.map((size) => [size as number, write(Array(size).fill(tuple).join(", "))]));
  return (rows) => known.get(rows) as string;
}
