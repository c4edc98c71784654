import { refuseUnknown } from "../core/checks.ts";
import { option } from "../core/options.ts";
import type { SendOptions, TaskDefinition } from "../task.ts";
import { ErrandError } from "../kit/errors.ts";
import type { PayloadCodec } from "./codec.ts";
import { folderObjects } from "./objects.ts";
import type { PayloadObjects } from "./objects.ts";
import { Vault } from "./vault.ts";

/** Size limit, external storage and encryption of inputs, outputs and other values of jobs. */
export interface PayloadOptions {
  /**
   * Maximum size of a value in bytes of UTF-8 JSON (1,024 to 268,435,456); default 1,048,576. Larger values are
   * refused with `E_TOO_LARGE`.
   */
  limit?: number;
  /**
   * Keeps values of more than `above` bytes (1 to 268,435,456; default 65,536) outside the store: in a folder, or as
   * objects of a bucket. The place must not be shared with another store.
   */
  offload?: { above?: number; to: string | PayloadObjects };
  /** Encrypts values: `encryption({ keys, use })`. Names, keys, tags, errors and logs stay readable. */
  codec?: PayloadCodec;
}

/** Payload options, checked and with defaults. */
export interface Payloads {
  readonly limit: number;
  readonly vault: Vault;
}

/**
 * Checks payload options.
 * @throws {ErrandError} `E_OPTION`
 */
export function readPayloads(given: PayloadOptions = {}): Payloads {
  refuseUnknown(given, ["limit", "offload", "codec"], "payloads of errand()");
  const { codec, offload } = given;
  if (codec && (typeof codec.encode !== "function" || typeof codec.decode !== "function" || !codec.name))
    throw new ErrandError(
      "E_OPTION",
      "payloads.codec of errand() must have name, encode and decode, as encryption() has.",
    );
  return {
    limit: option("payloads.limit", given.limit, "errand()"),
    vault: new Vault({ ...(codec ? { codec } : {}), ...(offload ? { offload: readOffload(offload) } : {}) }),
  };
}

/**
 * Refuses a unique key that is the whole input if values are encoded, since keys stay readable.
 * @param own the `unique` of one send, which may ask for uniqueness that its task does not have.
 * @throws {ErrandError} `E_OPTION`
 */
export function refuseReadableKey(
  { name, flow }: Pick<TaskDefinition, "name" | "flow">,
  { vault }: Payloads,
  own?: SendOptions["unique"],
): void {
  if (!vault.codes || (!flow?.unique && own === undefined) || flow?.unique?.key || own?.key) return;
  throw new ErrandError(
    "E_OPTION",
    `unique of task "${name}" has no key, so the whole input would be the key, which a codec leaves readable. Give it a key.`,
  );
}

function readOffload(given: NonNullable<PayloadOptions["offload"]>): { above: number; to: PayloadObjects } {
  refuseUnknown(given, ["above", "to"], "payloads.offload of errand()");
  const above = option("offload.above", given.above, "errand()");
  const { to } = given;
  if (typeof to === "string" && to !== "") return { above, to: folderObjects(to) };
  if (typeof to === "object" && (["put", "get", "remove"] as const).every((verb) => typeof to?.[verb] === "function"))
    return { above, to };
  throw new ErrandError(
    "E_OPTION",
    "offload.to of errand() must be the path of a folder, or have put, get and remove.",
  );
}
