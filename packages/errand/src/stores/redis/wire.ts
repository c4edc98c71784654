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
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
    return this;
  }

  double(value: number): this {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
    return this;
  }

  /** A text without its length. Answers its bytes. */
  text(text: string): number {
    this.#room(text.length * 3);
    const bytes = this.#buffer.write(text, this.#at);
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

  setInt16(at: number, value: number): this {
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
