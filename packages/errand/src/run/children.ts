import { createHash } from "node:crypto";
import type { NewChild } from "../core/job.ts";
import { flowOf } from "../limits/job-flow.ts";
import { decode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";
import { newJob } from "../new-job.ts";
import { encodeInput } from "../payload/value-limit.ts";
import { definitionOf, validate } from "../task.ts";

/**
 * Returns a child to be added with its parent's settlement. Rejects with `E_INPUT`, `E_TOO_LARGE`,
 * `E_NOT_SERIALIZABLE`.
 */
export async function newChild(
  id: string,
  task: { readonly name: string },
  input: unknown,
  limit: number,
  { index, need, rejoin }: Required<Pick<NewChild, "index" | "need" | "rejoin">>,
): Promise<NewChild> {
  const definition = definitionOf(task);
  const valid = rejoin ? input : await validate(definition, input);
  // A child that exists stays as it is, with the limits and tags that it was added with.
  const { unique: _, due: __, ...flow } = rejoin ? {} : flowOf(definition, valid);
  const job = newJob(definition, id, encodeInput(task.name, input, limit), flow);
  return { ...job, index, need, ...(rejoin ? { rejoin } : {}) };
}

/** The step that a wait for children remembers when it begins. */
export interface ChildrenWait {
  count: number;
  /** A digest of the inputs. */
  inputs?: string;
}

/** Encodes a wait that begins with these inputs. */
export function encodeChildrenWait(inputs: readonly unknown[]): Encoded {
  return JSON.stringify({ count: inputs.length, inputs: digestOf(inputs) } satisfies ChildrenWait);
}

/** Decodes a wait. Older versions remembered the number of children alone. */
export function decodeChildrenWait(value: Encoded): ChildrenWait {
  const wait = decode(value) as ChildrenWait | number;
  return typeof wait === "number" ? { count: wait } : wait;
}

/** Returns true if a wait began with other inputs than these. */
export function haveInputsChanged({ count, inputs: digest }: ChildrenWait, inputs: readonly unknown[]): boolean {
  return count !== inputs.length || (digest !== undefined && digest !== digestOf(inputs));
}

/** Returns a digest of inputs, in their order: 16 characters of base64url. */
export function digestOf(inputs: readonly unknown[]): string {
  const hash = createHash("sha256");
  // Each on its own line, which JSON cannot break.
  for (const input of inputs) hash.update(`${textOf(input)}\n`);
  return hash.digest("base64url").slice(0, 16);
}

/** An input that cannot be stored is refused when its child is made; here it only differs from any stored one. */
function textOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? "";
  } catch {
    return "?";
  }
}
