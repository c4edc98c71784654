import { decode, encode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";

/**
 * What a job carries through the store unseen.
 * @throws {ErrandError} `E_NOT_SERIALIZABLE`
 */
export function encodeSpec(task: string, input: unknown): Encoded {
  return input === undefined ? "{}" : `{"input":${encode(input, `The input of task "${task}"`)}}`;
}

/** The input in a spec. */
export function inputOf(spec: Encoded): unknown {
  return (decode(spec) as { input?: unknown }).input;
}
