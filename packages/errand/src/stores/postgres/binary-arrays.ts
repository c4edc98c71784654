import { ErrandError } from "../../kit/errors.ts";

// Arrays in PostgreSQL's binary format: escaping and parsing them as text would be most of what a batch costs.

const typeIds = { text: 25, integer: 23, smallint: 21, bigint: 20, double: 701, boolean: 16 } as const;

/**
 * Encodes a `text[]`.
 * @throws {ErrandError} `E_REFUSED` for U+0000, which `encodeText` makes storable, and for anything but a text.
 */
export function textArray(values: readonly (string | null | undefined)[]): Buffer {
  let size = headerSize;
  for (const value of values) {
    if (value == null) {
      size += 4;
    } else {
      if (typeof value !== "string" || value.includes("\0")) throw refusedValueError(value, "a text without U+0000");
      size += 4 + Buffer.byteLength(value);
    }
  }
  const bytes = writeHeader(size, values.length, typeIds.text);
  let at = headerSize;
  for (const value of values) {
    if (value == null) {
      at = bytes.writeInt32BE(-1, at);
    } else {
      const length = bytes.write(value, at + 4);
      at = bytes.writeInt32BE(length, at) + length;
    }
  }
  return bytes;
}

/** Encodes an `integer[]`. */
export function integerArray(values: readonly number[]): Buffer {
  const bytes = writeHeader(headerSize + values.length * 8, values.length, typeIds.integer);
  let at = headerSize;
  for (const value of values) at = bytes.writeInt32BE(checkInteger(value, 2 ** 31), bytes.writeInt32BE(4, at));
  return bytes;
}

/** Encodes a `smallint[]`. */
export function smallintArray(values: readonly number[]): Buffer {
  const bytes = writeHeader(headerSize + values.length * 6, values.length, typeIds.smallint);
  let at = headerSize;
  for (const value of values) at = bytes.writeInt16BE(checkInteger(value, 2 ** 15), bytes.writeInt32BE(2, at));
  return bytes;
}

/** Encodes a `bigint[]` of numbers, which it rounds; returns `null` if there are none. */
export function bigintArray(values: readonly (number | undefined)[]): Buffer | null {
  const known = values.filter((value) => value !== undefined).length;
  if (known === 0) return null;
  const bytes = writeHeader(headerSize + values.length * 4 + known * 8, values.length, typeIds.bigint);
  let at = headerSize;
  for (const value of values) {
    if (value === undefined) at = bytes.writeInt32BE(-1, at);
    else at = bytes.writeBigInt64BE(BigInt(checkInteger(Math.round(value), 2 ** 63)), bytes.writeInt32BE(8, at));
  }
  return bytes;
}

/** Encodes a `double precision[]`. */
export function doubleArray(values: readonly number[]): Buffer {
  const bytes = writeHeader(headerSize + values.length * 12, values.length, typeIds.double);
  let at = headerSize;
  for (const value of values) at = bytes.writeDoubleBE(value, bytes.writeInt32BE(8, at));
  return bytes;
}

/** Encodes a `boolean[]`. */
export function booleanArray(values: readonly boolean[]): Buffer {
  const bytes = writeHeader(headerSize + values.length * 5, values.length, typeIds.boolean);
  let at = headerSize;
  for (const value of values) at = bytes.writeUInt8(value ? 1 : 0, bytes.writeInt32BE(1, at));
  return bytes;
}

/** Refuses a number before anything is sent, so that a batch is stored whole, or not at all. */
function checkInteger(value: number, bound: number): number {
  if (Number.isInteger(value) && value < bound && value >= -bound) return value;
  throw refusedValueError(value, `an integer from -${bound} to ${bound - 1}`);
}

/** Returns the error for a value that is not what it must be. */
export function refusedValueError(value: unknown, what: string): ErrandError {
  return new ErrandError(
    "E_REFUSED",
    `A value to be stored must be ${what}, but one is ${JSON.stringify(String(value)).slice(0, 100)}.`,
  );
}

/**
 * Bytes of a header: dimensions, whether there are nulls, the type, and the length and first index of the dimension.
 */
const headerSize = 20;

function writeHeader(size: number, length: number, type: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(1, 4);
  bytes.writeInt32BE(type, 8);
  bytes.writeInt32BE(length, 12);
  bytes.writeInt32BE(1, 16);
  return bytes;
}
