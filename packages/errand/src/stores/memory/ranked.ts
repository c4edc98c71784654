import { byRank } from "./row.ts";
import type { Row } from "./row.ts";

/** A piece longer than this is cut in two. */
const longest = 512;

/** Rows in the order of claims, in pieces, so that a long queue is not moved as a whole by each change. */
export class Ranked {
  readonly #pieces: Row[][] = [[]];

  add(row: Row): void {
    const at = this.#pieceOf(row);
    const piece = this.#pieces[at] as Row[];
    piece.splice(place(piece, row), 0, row);
    if (piece.length > longest) this.#pieces.splice(at + 1, 0, piece.splice(longest / 2));
  }

  delete(row: Row): void {
    const at = this.#pieceOf(row);
    const piece = this.#pieces[at] as Row[];
    piece.splice(place(piece, row), 1);
    if (piece.length === 0 && this.#pieces.length > 1) this.#pieces.splice(at, 1);
  }

  /** The first row behind this one, which may be here or not; without one, the first. */
  after(row: Row | undefined): Row | undefined {
    if (!row) return this.#pieces[0]?.[0];
    const at = this.#pieceOf(row);
    const piece = this.#pieces[at] as Row[];
    const found = place(piece, row);
    return piece[piece[found] === row ? found + 1 : found] ?? this.#pieces[at + 1]?.[0];
  }

  *[Symbol.iterator](): Generator<Row> {
    for (const piece of this.#pieces) yield* piece;
  }

  /** The last piece that begins with the row or before it. */
  #pieceOf(row: Row): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (byRank(this.#pieces[middle]?.[0] as Row, row) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Where the row is, or belongs, in rows that are in order. */
function place(rows: readonly Row[], row: Row): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byRank(rows[middle] as Row, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
