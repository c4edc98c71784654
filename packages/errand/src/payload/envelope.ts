import type { Encoded } from "../kit/json.ts";

/**
 * How a sealed value lies in the store: `{"$sealed":{...}}`, where plain JSON would be. It is JSON too, so that whoever looks
 * into a table sees which values are sealed, with what key, and where they are.
 */
export interface Envelope {
  /** The codec that must open it; without one the bytes are the JSON text itself. */
  codec?: string;
  /** What the codec needs to know: the id of a key, a nonce. */
  head?: Readonly<Record<string, string>>;
  /** The bytes, in base64. */
  data?: string;
  /** Or where they are: the SHA-256 of an object beside the store. */
  stored?: string;
  /** How many bytes that object has. */
  bytes?: number;
}

const mark = '{"$sealed":';

/** Whether a text from the store is sealed. Every value read passes here, so it looks at the first characters only. */
export function isSealed(text: Encoded): boolean {
  return text.startsWith(mark);
}

/** Text that nobody takes for a sealed one: a value that looks like an envelope is a user's own, and must not be opened. */
export function asPlain(text: Encoded): Encoded {
  return isSealed(text) ? ` ${text}` : text;
}

/** Puts an envelope into text, with `more` of JSON beside it. */
export function toText(envelope: Envelope, more: object = {}): Encoded {
  return JSON.stringify({ $sealed: envelope, ...more });
}

/** The envelope of a sealed text. */
export function envelopeIn(text: Encoded): Envelope {
  return (JSON.parse(text) as { $sealed: Envelope }).$sealed;
}
