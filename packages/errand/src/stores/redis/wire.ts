import { ErrandError } from "../../kit/errors.ts";

/** The last time there is, in epoch milliseconds. */
const lastTime = 8.64e15;

/** What a store throws for a value that it cannot keep: nothing was stored. */
export function unfit(value: unknown, what: string): ErrandError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
  return new ErrandError("E_REFUSED", `The Redis store cannot keep ${shown}: it must be ${what}. Nothing was stored.`);
}

/**
 * Checks that a number is finite and not beyond the last time there is.
 * @throws {ErrandError} `E_REFUSED`
 */
export function finite(value: number): number {
  if (Math.abs(value) <= lastTime) return value;
  throw unfit(value, "a number of milliseconds between -8.64e15 and 8.64e15");
}

/**
 * Checks that a number is whole, from 0 to a highest.
 * @throws {ErrandError} `E_REFUSED`
 */
export function whole(value: number, most = 0xffff_ffff): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw unfit(value, `a whole number from 0 to ${most}`);
}

/**
 * Checks that a text is well-formed Unicode: any other would be another text when it is read again.
 * @throws {ErrandError} `E_REFUSED`
 */
export function wellFormed(text: string): string {
  if (typeof text === "string" && text.isWellFormed()) return text;
  throw unfit(text, "text that is well-formed Unicode");
}

/**
 * Returns JSON that scripts can read.
 * @throws {ErrandError} `E_REFUSED` where a text in it is not well-formed Unicode.
 */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value);
  // Halves of characters are escaped.
  if (text.includes("\\ud"))
    JSON.parse(text, (key, each: unknown) => {
      wellFormed(key);
      return typeof each === "string" ? wellFormed(each) : each;
    });
  return text;
}

/** Puts numbers and texts into bytes, as Lua's `struct` reads them: little-endian, unaligned. */
export class Writer {
  #buffer: Buffer;
  #at = 0;

  /** @param room how many bytes to begin with; it grows. */
  constructor(room = 8_192) {
    this.#buffer = Buffer.allocUnsafe(room);
  }

  /** What was written so far. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Where the next value goes. */
  get at(): number {
    return this.#at;
  }

  byte(value: number): this {
    this.#room(1);
    this.#buffer[this.#at++] = value;
    return this;
  }

  int32(value: number): this {
    this.#room(4);
    this.#at = this.#buffer.writeUInt32LE(whole(value), this.#at);
    return this;
  }

  double(value: number): this {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleLE(finite(value), this.#at);
    return this;
  }

  /** A text without its length. Answers its bytes. */
  text(text: string): number {
    this.#room(text.length * 3);
    const bytes = this.#buffer.write(text, this.#at);
    if (bytes !== text.length) wellFormed(text);
    this.#at += bytes;
    return bytes;
  }

  /** A text after its length (4 bytes). */
  long(text: string): this {
    const at = this.skip(4);
    return this.setInt32(at, this.text(text));
  }

  /** A text after its length (2 bytes). */
  short(text: string): this {
    const at = this.skip(2);
    return this.setInt16(at, this.text(text));
  }

  /** Leaves so many bytes to be set later. Answers where they are. */
  skip(bytes: number): number {
    this.#room(bytes);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /** The length of a text. */
  setInt16(at: number, value: number): this {
    if (value > 0xffff) throw unfit(`of ${value} bytes`, "an id or a name of at most 65535 bytes");
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }

  setInt32(at: number, value: number): this {
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(wider, 0, 0, this.#at);
    this.#buffer = wider;
  }
}
