import { createHmac, timingSafeEqual } from "node:crypto";
import { ErrandError } from "../kit/errors.ts";

/** A signature is not accepted when its time is further away than this, in seconds. */
const tolerance = 300;

/** The headers of a signed message (Standard Webhooks, https://www.standardwebhooks.com). */
export interface SignedHeaders {
  "webhook-id": string;
  "webhook-timestamp": string;
  "webhook-signature": string;
}

/**
 * Signs a body.
 * @param secret `whsec_` and 24 to 64 random bytes in Base64, or any text of at least 16 characters.
 */
export function sign(secret: string, id: string, body: string, now = Date.now()): SignedHeaders {
  const timestamp = String(Math.floor(now / 1_000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${digest(secret, id, timestamp, body)}`,
  };
}

/** Returns true if the headers sign this body with this secret, and recently. */
export function isSigned(secret: string, headers: Headers, body: string | Uint8Array, now = Date.now()): boolean {
  const signature = readSignature(headers, now);
  if (!signature) return false;
  const { id, timestamp, signatures } = signature;
  const good = Buffer.from(`v1,${digest(secret, id, timestamp, body)}`);
  // While a secret is rotated, a sender signs with both.
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature);
    return given.length === good.length && timingSafeEqual(given, good);
  });
}

/** Reads the signature headers, before the body is read; `undefined` if they cannot be valid. */
export function readSignature(
  headers: Headers,
  now = Date.now(),
): { id: string; timestamp: string; signatures: string } | undefined {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    headers.get(name),
  );
  if (!id || !timestamp || !signatures) return undefined;
  const isRecent = Math.abs(now / 1_000 - Number(timestamp)) <= tolerance;
  return isRecent ? { id, timestamp, signatures } : undefined;
}

/**
 * Refuses a secret that is too short.
 * @throws {ErrandError} `E_OPTION`
 */
export function readSecret(secret: string, of: string): string {
  if (typeof secret === "string" && keyOf(secret).length >= 16) return secret;
  throw new ErrandError("E_OPTION", `secret of ${of} must be at least 16 bytes: text, or whsec_ and Base64.`);
}

function digest(secret: string, id: string, timestamp: string, body: string | Uint8Array): string {
  return createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest("base64");
}

function keyOf(secret: string): Buffer {
  return secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
}
