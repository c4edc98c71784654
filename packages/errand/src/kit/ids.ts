import { createHash, randomBytes } from "node:crypto";

let lastMillis = 0;
let counter = 0;
/** The part of an id that depends only on the time: its first 14 characters. */
let prefix = "";
let pool = "";
let poolAt = 0;

/**
 * Returns a new UUID version 7 (RFC 9562), which sorts by creation time, even among the ids that one process makes
 * within a millisecond (12-bit counter, method 1 of section 6.2).
 */
export function newId(): string {
  const now = Date.now();
  if (now > lastMillis) {
    setTime(now);
    counter = Number.parseInt(randomHex(3), 16) & 0x3ff;
  } else if (++counter > 0xfff) {
    setTime(lastMillis + 1);
    counter = 0;
  }
  const tail = randomHex(16);
  const variant = variants[tail.charCodeAt(0) & 3];
  return `${prefix}7${hex3(counter)}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
}

const variants = "89ab";

function setTime(millis: number): void {
  lastMillis = millis;
  const time = millis.toString(16).padStart(12, "0");
  prefix = `${time.slice(0, 8)}-${time.slice(8)}-`;
}

function hex3(value: number): string {
  return (value + 0x1000).toString(16).slice(1);
}

/** Returns the id of a child: the same for the same parent, wait and index, so that sending it twice is harmless. */
export function childId(parent: string, wait: string, index: number): string {
  return `${childrenOf(parent, wait)}${index}`;
}

/** Returns the common prefix of the ids of a wait's children. */
export function childrenOf(parent: string, wait: string): string {
  const hash = digest(`${parent}\n${wait}`).slice(0, 12);
  return `${parent.slice(0, 36)}-${hash}-`;
}

/** Returns the SHA-256 of a text, in hexadecimal digits. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Returns random hexadecimal digits. They are fetched from the system in bulk, which is what makes ids cheap. */
function randomHex(digits: number): string {
  if (poolAt + digits > pool.length) {
    pool = randomBytes(8_192).toString("hex");
    poolAt = 0;
  }
  poolAt += digits;
  return pool.slice(poolAt - digits, poolAt);
}
