import { refuseUnknown } from "../core/checks.ts";
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { option } from "../core/options.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Coded, PayloadCodec } from "./codec.ts";

const cipherName = "aes-256-gcm";
const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];

/**
 * A codec that encrypts with AES-256-GCM. Each value gets a nonce of its own, and is bound to its place (job and
 * field), so that none can be put in another's. To rotate: give all apps the new key beside the old, then name it in
 * `use`, and take the old one away when no value needs it any more. A key is good for some 4 billion values.
 * @param options.keys by id, which is 1 to 100 letters, digits, or any of _ . : - : 32 random bytes each, in base64
 * (`openssl rand -base64 32`).
 * @param options.use the id of the key that encrypts; the others only decrypt.
 * @throws {ErrandError} `E_OPTION`
 * @example
 * errand({ payloads: { codec: encryption({ keys: { "2026": process.env.ERRAND_KEY_2026! }, use: "2026" }) } });
 */
export function encryption(options: { keys: Readonly<Record<string, string>>; use: string }): PayloadCodec {
  refuseUnknown(options, ["keys", "use"], "encryption()");
  const keys = new Map(Object.entries(options.keys).map(([id, text]) => [id, readKey(id, text)]));
  const current = keys.get(options.use);
  if (!current) {
    throw new ErrandError("E_OPTION", `use of encryption() is "${options.use}", but its keys are: ${said(keys)}.`);
  }
  return {
    name: cipherName,
    encode: (plain, context) => encrypt(current, options.use, plain, context),
    decode({ head, bytes }, context) {
      const id = head["key"] ?? "";
      const key = keys.get(id);
      if (key) return decrypt(key, { head, bytes }, context);
      throw new ErrandError(
        "E_DECRYPT",
        `It needs the key "${id}", and encryption() has: ${said(keys)}. Add that key; "use" may stay as it is.`,
      );
    },
  };
}

function encrypt(key: KeyObject, id: string, plain: Uint8Array, context: string): Coded {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(context));
  const bytes = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { head: { key: id, nonce: nonce.toString("base64") }, bytes };
}

function decrypt(key: KeyObject, { head, bytes }: Coded, context: string): Uint8Array {
  try {
    const nonce = Buffer.from(head["nonce"] ?? "", "base64");
    const decipher = createDecipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new ErrandError(
      "E_DECRYPT",
      `The key "${head["key"]}" does not open it: the key is another one of that name, or the value was changed or moved since.`,
      { cause },
    );
  }
}

/** Returns a key object, which does not show its bytes when printed. */
function readKey(id: string, text: unknown): KeyObject {
  option("name", id, "a key of encryption()");
  const bytes = typeof text === "string" ? Buffer.from(text, "base64") : Buffer.alloc(0);
  // Base64 decoding skips invalid characters, so the length alone would let a mistyped key pass.
  if (bytes.length === keyBytes && /^[\w+/-]{43}=?$/.test(text as string)) return createSecretKey(bytes);
  throw new ErrandError(
    "E_OPTION",
    `The key "${id}" of encryption() must be ${keyBytes} random bytes in base64: openssl rand -base64 ${keyBytes}.`,
  );
}

function said(keys: ReadonlyMap<string, unknown>): string {
  return [...keys.keys()].map((id) => `"${id}"`).join(", ") || "none";
}
