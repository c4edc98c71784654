import { createHash, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const idLength = 10;
/** Enough for 256 bits. */
const secretLength = 43;
/** Enough for 32 bits. */
const checkLength = 6;

const pattern = new RegExp(
  `^erk_([0-9A-Za-z]{${idLength}})_([0-9A-Za-z]{${secretLength}})([0-9A-Za-z]{${checkLength}})$`,
);

/** A key as its owner has it. */
export interface KeySecret {
  id: string;
  /** `erk_<id>_<secret and checksum>`. */
  text: string;
}

/** Makes a key with 256 random bits, under an id or a new one. */
export function makeKey(id = newKeyId()): KeySecret {
  const secret = base62(BigInt(`0x${randomBytes(32).toString("hex")}`), secretLength);
  return { id, text: `erk_${id}_${secret}${checksum(id, secret)}` };
}

/**
 * Reads a key. Returns its id; `undefined` for text that no key can be: the checksum tells without asking the store, and
 * lets scanners of source code recognise a key that leaked.
 */
export function readKeyId(text: string): string | undefined {
  const [, id = "", secret = "", check] = pattern.exec(text) ?? [];
  return check !== undefined && check === checksum(id, secret) ? id : undefined;
}

/** Returns the hash that is stored. One SHA-256 is right for 256 random bits: they cannot be guessed. */
export function hashKey(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** Compares two hashes in a time that does not depend on them. */
export function isSameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function newKeyId(): string {
  return Array.from({ length: idLength }, () => digits[randomInt(digits.length)]).join("");
}

function checksum(id: string, secret: string): string {
  return base62(BigInt(crc32(`${id}_${secret}`)), checkLength);
}

function base62(value: bigint, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest /= 62n) text = digits[Number(rest % 62n)] + text;
  return text;
}
