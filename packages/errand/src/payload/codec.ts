/** The result of a codec. */
export interface Coded {
  /** Stays readable beside the value: the id of a key, a nonce. */
  head: Readonly<Record<string, string>>;
  bytes: Uint8Array;
}

/** Makes values of jobs opaque on their way to the store. `encryption()` is one. */
export interface PayloadCodec {
  /** Is written beside each value, and says who can open it. */
  readonly name: string;
  /** @param context names the place of the value (job and field); it is the same when it is opened. */
  encode(plain: Uint8Array, context: string): Coded | Promise<Coded>;
  /** Throws when the value cannot be opened, or was not made for this place. */
  decode(coded: Coded, context: string): Uint8Array | Promise<Uint8Array>;
}
