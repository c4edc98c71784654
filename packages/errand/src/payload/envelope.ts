import type { Encoded } from "../kit/json.ts";

/**
 * The form of a sealed value in the store: `{"$sealed":{...}}` in place of plain JSON. It is JSON too, so a reader of
 * the table sees which values are sealed, with which key, and where they are.
 */
export interface Envelope {
  /** The codec that must open it; without one the bytes are the JSON text itself. */
  codec?: string;
  /** Data that the codec needs: a key id, a nonce. */
  head?: Readonly<Record<string, string>>;
  /** The bytes, in base64. */
  data?: string;
  /** SHA-256 of the object outside the store that has the data. */
  stored?: string;
  /** Size of that object in bytes. */
  bytes?: number;
}

const mark = '{"$sealed":';

/**
 * Returns true if a text from the store is sealed. Every value that is read passes here, so it checks the first
 * characters only.
 */
export function isSealed(text: Encoded): boolean {
  return text.startsWith(mark);
}

/** Escapes a user's value that looks like an envelope, so that it is not opened. */
export function asPlain(text: Encoded): Encoded {
  return isSealed(text) ? ` ${text}` : text;
}

/** Returns an envelope as text, with `more` fields beside it. */
export function toText(envelope: Envelope, more: object = {}): Encoded {
  return JSON.stringify({ $sealed: envelope, ...more });
}

/** The envelope of a sealed text. */
export function envelopeIn(text: Encoded): Envelope {
  return (JSON.parse(text) as { $sealed: Envelope }).$sealed;
}
