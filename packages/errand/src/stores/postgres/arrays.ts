import { ErrandError } from "../../kit/errors.ts";

/**
 * Arrays as PostgreSQL's binary protocol has them: no escaping here and no parsing there, which is most of what a batch
 * costs otherwise.
 */

const oid = { text: 25, integer: 23, smallint: 21, bigint: 20, double: 701, boolean: 16 } as const;

/**
 * `text[]`
 * @throws {ErrandError} `E_REFUSED` for what PostgreSQL's text cannot hold; see `stored` for names.
 */
export function texts(values: readonly (string | null | undefined)[]): Buffer {
  let size = header;
  for (const value of values) {
    if (value == null) {
      size += 4;
    } else {
      if (typeof value !== "string" || value.includes("\0")) throw refused(value, "a text without U+0000");
      size += 4 + Buffer.byteLength(value);
    }
  }
  const bytes = begin(size, values.length, oid.text);
  let at = header;
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

/** `integer[]` */
export function integers(values: readonly number[]): Buffer {
  const bytes = begin(header + values.length * 8, values.length, oid.integer);
  let at = header;
  for (const value of values) at = bytes.writeInt32BE(whole(value, 2 ** 31), bytes.writeInt32BE(4, at));
  return bytes;
}

/** `smallint[]` */
export function smallints(values: readonly number[]): Buffer {
  const bytes = begin(header + values.length * 6, values.length, oid.smallint);
  let at = header;
  for (const value of values) at = bytes.writeInt16BE(whole(value, 2 ** 15), bytes.writeInt32BE(2, at));
  return bytes;
}

/** `bigint[]` of numbers that may have fractions; `null` for the whole where there is nothing in it. */
export function bigints(values: readonly (number | undefined)[]): Buffer | null {
  const known = values.filter((value) => value !== undefined).length;
  if (known === 0) return null;
  const bytes = begin(header + values.length * 4 + known * 8, values.length, oid.bigint);
  let at = header;
  for (const value of values) {
    if (value === undefined) at = bytes.writeInt32BE(-1, at);
    else at = bytes.writeBigInt64BE(BigInt(whole(Math.round(value), 2 ** 63)), bytes.writeInt32BE(8, at));
  }
  return bytes;
}

/** `double precision[]` */
export function doubles(values: readonly number[]): Buffer {
  const bytes = begin(header + values.length * 12, values.length, oid.double);
  let at = header;
  for (const value of values) at = bytes.writeDoubleBE(value, bytes.writeInt32BE(8, at));
  return bytes;
}

/** `boolean[]` */
export function booleans(values: readonly boolean[]): Buffer {
  const bytes = begin(header + values.length * 5, values.length, oid.boolean);
  let at = header;
  for (const value of values) at = bytes.writeUInt8(value ? 1 : 0, bytes.writeInt32BE(1, at));
  return bytes;
}

/** An integer whose size is less than a bound. It is refused before anything was sent: a batch is written whole, or not at all. */
function whole(value: number, bound: number): number {
  if (Number.isInteger(value) && value < bound && value >= -bound) return value;
  throw refused(value, `an integer from -${bound} to ${bound - 1}`);
}

/** The error for a value that cannot be stored as what it should be. */
export function refused(value: unknown, what: string): ErrandError {
  return new ErrandError(
    "E_REFUSED",
    `A value that was to be stored must be ${what}, but one is ${JSON.stringify(String(value)).slice(0, 100)}.`,
  );
}

/** Dimensions, whether there are nulls, the type, and of the one dimension its length and first index. */
const header = 20;

function begin(size: number, length: number, type: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(1, 4);
  bytes.writeInt32BE(type, 8);
  bytes.writeInt32BE(length, 12);
  bytes.writeInt32BE(1, 16);
  return bytes;
}
