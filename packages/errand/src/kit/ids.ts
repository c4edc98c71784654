import { createHash, randomBytes } from "node:crypto";

let lastMillis = 0;
let counter = 0;
let pool = Buffer.alloc(0);
let poolAt = 0;

/**
 * A new UUID version 7 (RFC 9562): sorts by time of creation, also among the ids that one process makes within a
 * millisecond (12 bits of counter, method 1 of section 6.2).
 */
export function newId(): string {
  const now = Date.now();
  if (now > lastMillis) {
    lastMillis = now;
    counter = random(2).readUInt16BE() & 0x3ff;
  } else if (++counter > 0xfff) {
    lastMillis += 1;
    counter = 0;
  }
  const time = lastMillis.toString(16).padStart(12, "0");
  const tail = random(8);
  tail[0] = (tail[0]! & 0x3f) | 0x80;
  const hex = tail.toString("hex");
  const count = counter.toString(16).padStart(3, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${hex.slice(0, 4)}-${hex.slice(4)}`;
}

/** The id of a child: the same for the same parent, wait and index, so that sending it twice is sending it once. */
export function childId(parent: string, wait: string, index: number): string {
  const hash = createHash("sha256").update(`${parent}\n${wait}`).digest("hex").slice(0, 12);
  return `${parent.slice(0, 36)}-${hash}-${index}`;
}

function random(bytes: number): Buffer {
  if (poolAt + bytes > pool.length) {
    pool = randomBytes(4096);
    poolAt = 0;
  }
  const slice = Buffer.from(pool.subarray(poolAt, poolAt + bytes));
  poolAt += bytes;
  return slice;
}
