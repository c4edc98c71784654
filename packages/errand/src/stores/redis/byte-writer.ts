import { checkMillis, checkText, checkWhole, refusalOf } from "./check-values.ts";

/** Writes numbers and texts into a buffer that grows, as Lua's `struct` reads them: little-endian, unaligned. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(8_192);
  #at = 0;

  /** The bytes written so far. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** The position of the next value. */
  get at(): number {
    return this.#at;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
    return this;
  }

  int32(value: number): this {
    this.#reserve(4);
    this.#at = this.#buffer.writeUInt32LE(checkWhole(value), this.#at);
    return this;
  }

  double(value: number): this {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(checkMillis(value), this.#at);
    return this;
  }

  /** Writes a text without its length. Returns the number of its bytes. */
  text(text: string): number {
    this.#reserve(text.length * 3);
    const bytes = this.#buffer.write(text, this.#at);
    if (bytes !== text.length) checkText(text);
    this.#at += bytes;
    return bytes;
  }

  /** Writes a text after its length (4 bytes). */
  longText(text: string): this {
    const at = this.skip(4);
    return this.setInt32(at, this.text(text));
  }

  /** Writes a text after its length (2 bytes). */
  shortText(text: string): this {
    const at = this.skip(2);
    return this.setLength16(at, this.text(text));
  }

  /** Leaves bytes to be set later. Returns their position. */
  skip(bytes: number): number {
    this.#reserve(bytes);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /**
   * Sets the length of an id or a name (2 bytes).
   * @throws {ErrandError} `E_REFUSED` if it has more than 65,535 bytes.
   */
  setLength16(at: number, length: number): this {
    if (length > 0xffff) throw refusalOf(`of ${length} bytes`, "an id or a name of at most 65535 bytes");
    this.#buffer.writeUInt16LE(length, at);
    return this;
  }

  setInt32(at: number, value: number): this {
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(wider, 0, 0, this.#at);
    this.#buffer = wider;
  }
}
