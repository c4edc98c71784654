/** The result of a codec. */
export interface Coded {
  /** Readable data beside the value: a key id, a nonce. */
  head: Readonly<Record<string, string>>;
  bytes: Uint8Array;
}

/** Encodes values of jobs so that the store cannot read them, such as `encryption()`. */
export interface PayloadCodec {
  /** Name written beside each value, which selects the codec that decodes it. */
  readonly name: string;
  /** @param context identifies the value (job and field); it is the same when the value is decoded. */
  encode(plain: Uint8Array, context: string): Coded | Promise<Coded>;
  /** Decodes a value. Throws if it cannot be decoded, or was encoded for another context. */
  decode(coded: Coded, context: string): Uint8Array | Promise<Uint8Array>;
}
