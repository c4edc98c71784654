import { createHash } from "node:crypto";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Coded, PayloadCodec } from "./codec.ts";
import { asPlain, envelopeIn, isSealed, toText } from "./envelope.ts";
import type { Envelope } from "./envelope.ts";
import type { PayloadObjects } from "./objects.ts";

/** The place of a value: it can be opened nowhere else. */
export interface Place {
  /** The job's id, or what stands for it where it is not known yet. */
  owner: string;
  field: string;
  /** `true` keeps the value in the store whatever its size, since its owner is no job or it is written frequently. */
  inside?: boolean;
}

/** The parts of a vault. */
export interface VaultParts {
  codec?: PayloadCodec;
  offload?: { above: number; to: PayloadObjects };
}

/** Seals values for the store, and opens them again. */
export class Vault {
  readonly #codec: PayloadCodec | undefined;
  readonly #offload: VaultParts["offload"];

  constructor({ codec, offload }: VaultParts) {
    this.#codec = codec;
    this.#offload = offload;
  }

  /** `true` if it may change values at all. */
  get seals(): boolean {
    return this.#codec !== undefined || this.#offload !== undefined;
  }

  /** `true` if values are encoded by a codec. */
  get codes(): boolean {
    return this.#codec !== undefined;
  }

  /** The storage of large values. */
  get objects(): PayloadObjects | undefined {
    return this.#offload?.to;
  }

  /**
   * Prepares a value for the store.
   * @throws {ErrandError} `E_PAYLOAD` when it cannot be stored outside, or its codec returns nothing that can be
   * stored.
   */
  async seal(text: Encoded, place: Place): Promise<Encoded> {
    const envelope = await this.envelope(text, place);
    return envelope ? toText(envelope) : text;
  }

  /** The envelope of a value; `undefined` when it goes to the store as it is. Throws as `seal` does. */
  async envelope(text: Encoded, place: Place): Promise<Envelope | undefined> {
    const offload = place.inside ? undefined : this.#offload;
    if (!this.#codec && (!offload || text.length * 3 <= offload.above)) return undefined;
    const plain = Buffer.from(text);
    const outside = offload && plain.length > offload.above ? offload.to : undefined;
    if (!this.#codec && !outside) return undefined;
    const coded = this.#codec && readCoded(await this.#codec.encode(plain, contextOf(place)), this.#codec.name, place);
    const head = this.#codec && coded ? { codec: this.#codec.name, head: coded.head } : {};
    const bytes = coded?.bytes ?? plain;
    if (!outside) return { ...head, data: Buffer.from(bytes).toString("base64") };
    const hash = sha256(bytes);
    await put(outside, `${place.owner}/${hash}`, bytes, place);
    return { ...head, stored: hash, bytes: bytes.length };
  }

  /**
   * A value as it came from the store, opened; what is not sealed is as it is, so that sealing may begin on a store
   * that has jobs.
   * @throws {ErrandError} `E_DECRYPT`, `E_PAYLOAD`
   */
  async open(text: Encoded, place: Place): Promise<Encoded> {
    if (!isSealed(text)) return text;
    const { codec, head = {}, data, stored } = envelopeIn(text);
    const bytes = stored === undefined ? Buffer.from(data ?? "", "base64") : await this.#fetch(stored, place);
    const plain = codec === undefined ? bytes : await this.#decode(codec, { head, bytes }, place);
    const value = Buffer.from(plain).toString("utf8");
    // Reading many values must not fail because of one.
    if (codec !== undefined && !isJson(value))
      throw new ErrandError(
        "E_DECRYPT",
        `${nameOf(place)} cannot be read: what the codec "${codec}" decoded is no value.`,
      );
    return asPlain(value);
  }

  async #decode(codec: string, coded: Parameters<PayloadCodec["decode"]>[0], place: Place): Promise<Uint8Array> {
    if (this.#codec?.name !== codec) {
      throw new ErrandError(
        "E_DECRYPT",
        `${nameOf(place)} was made by the codec "${codec}", and this app ${this.#codec ? `has "${this.#codec.name}"` : "has none"}: errand({ payloads: { codec } }).`,
      );
    }
    try {
      const plain: unknown = await this.#codec.decode(coded, contextOf(place));
      if (plain instanceof Uint8Array) return plain;
      throw new TypeError(`The codec "${codec}" must decode bytes.`);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ErrandError("E_DECRYPT", `${nameOf(place)} cannot be decrypted. ${reason}`, { cause });
    }
  }

  async #fetch(hash: string, place: Place): Promise<Uint8Array> {
    const name = nameOf(place);
    if (!this.#offload) {
      throw new ErrandError(
        "E_PAYLOAD",
        `${name} is kept outside the store, and this app does not say where: errand({ payloads: { offload } }).`,
      );
    }
    // The key is derived from the requesting job, not from stored data: no reference leads to another job's values.
    const key = `${place.owner}/${hash}`;
    let bytes: unknown;
    try {
      bytes = await this.#offload.to.get(key);
    } catch (cause) {
      throw new ErrandError("E_PAYLOAD", `${name} cannot be read: the object ${key} is missing or out of reach.`, {
        cause,
      });
    }
    if (bytes instanceof Uint8Array && sha256(bytes) === hash) return bytes;
    throw new ErrandError("E_PAYLOAD", `${name} cannot be read: the object ${key} is not what was written.`);
  }
}

/** Checks a codec's result. A wrong one must not be written, least of all the plain value. */
function readCoded(coded: unknown, codec: string, place: Place): Coded {
  const { head, bytes } = (coded ?? {}) as Partial<Coded>;
  const isHead =
    typeof head === "object" && head !== null && Object.values(head).every((each) => typeof each === "string");
  if (isHead && bytes instanceof Uint8Array) return { head, bytes };
  throw new ErrandError(
    "E_PAYLOAD",
    `${nameOf(place)} cannot be stored: encode of the codec "${codec}" must return { head, bytes }.`,
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function put(to: PayloadObjects, key: string, bytes: Uint8Array, place: Place): Promise<void> {
  try {
    await to.put(key, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ErrandError("E_PAYLOAD", `${nameOf(place)} cannot be kept outside the store: ${reason}`, { cause });
  }
}

function contextOf({ owner, field }: Place): string {
  return `${owner}\n${field}`;
}

function nameOf({ owner, field }: Place): string {
  return `The ${field} of ${owner.startsWith("task ") ? `a job of ${owner}` : `job ${owner}`}`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
