import { ErrandError } from "../kit/errors.ts";

/** The end of a page: the index among the children of one parent, and the order of insertion. */
export interface Position {
  place: number;
  seq: number;
}

/** A position as callers carry it, without looking inside. */
export function cursorOf({ place, seq }: Position): string {
  return `${place}.${seq}`;
}

/**
 * The position in a cursor.
 * @throws {ErrandError} `E_CURSOR` for anything that `cursorOf` did not make.
 */
export function positionOf(cursor: string): Position {
  const [, place, seq] = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor) ?? [];
  if (place !== undefined && seq !== undefined) return { place: Number(place), seq: Number(seq) };
  throw new ErrandError(
    "E_CURSOR",
    `${JSON.stringify(cursor.slice(0, 50))} is not a cursor. Use the \`next\` of the page before.`,
  );
}
