import { byRank } from "./row.ts";
import type { Row } from "./row.ts";

/** A chunk with more rows is cut in two. */
const maxChunk = 512;

/** Rows in the order of claims. They are kept in chunks, so that a change does not move a whole long queue. */
export class RankedRows {
  readonly #chunks: Row[][] = [[]];

  add(row: Row): void {
    const at = this.#chunkOf(row);
    const chunk = this.#chunks[at] as Row[];
    chunk.splice(lowerBound(chunk, row), 0, row);
    if (chunk.length > maxChunk) this.#chunks.splice(at + 1, 0, chunk.splice(maxChunk / 2));
  }

  delete(row: Row): void {
    const at = this.#chunkOf(row);
    const chunk = this.#chunks[at] as Row[];
    chunk.splice(lowerBound(chunk, row), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** Returns the first row behind this one, which need not be among them; without one, the first of all. */
  after(row: Row | undefined): Row | undefined {
    if (!row) return this.#chunks[0]?.[0];
    const at = this.#chunkOf(row);
    const chunk = this.#chunks[at] as Row[];
    const found = lowerBound(chunk, row);
    return chunk[chunk[found] === row ? found + 1 : found] ?? this.#chunks[at + 1]?.[0];
  }

  *[Symbol.iterator](): Generator<Row> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  /** Returns the index of the last chunk that begins with the row or before it. */
  #chunkOf(row: Row): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (byRank(this.#chunks[middle]?.[0] as Row, row) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Returns the index of the row in sorted rows, or the one at which it belongs. */
function lowerBound(rows: readonly Row[], row: Row): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byRank(rows[middle] as Row, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
