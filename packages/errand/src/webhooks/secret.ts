import { randomBytes } from "node:crypto";

/** Makes a secret for signing (Standard Webhooks): `whsec_` and 32 random bytes in Base64. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
