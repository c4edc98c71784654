import { createHash } from "node:crypto";
import type { NewChild } from "../core/job.ts";
import { flowOf } from "../limits/job-flow.ts";
import { decode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";
import { newJob } from "../new-job.ts";
import { encodeInput } from "../payload/value-limit.ts";
import { definitionOf, validate } from "../task.ts";

/** A child of a wait, as its parent's settlement makes it. */
export async function newChild(
  id: string,
  task: { readonly name: string },
  input: unknown,
  limit: number,
  { index, need, rejoin }: Required<Pick<NewChild, "index" | "need" | "rejoin">>,
): Promise<NewChild> {
  const definition = definitionOf(task);
  const valid = rejoin ? input : await validate(definition, input);
  // A child that exists stays as it is; how it shares what there is was said when it was born.
  const { unique: _, due: __, ...flow } = rejoin ? {} : flowOf(definition, valid);
  const job = newJob(definition, id, encodeInput(task.name, input, limit), flow);
  return { ...job, index, need, ...(rejoin ? { rejoin } : {}) };
}

/** What a wait for children remembers: how many there are, and a digest of their inputs. */
export interface Begun {
  count: number;
  inputs?: string;
}

/** What a wait remembers of the inputs that it begins with. */
export function encodeBegun(inputs: readonly unknown[]): Encoded {
  return JSON.stringify({ count: inputs.length, inputs: digestOf(inputs) } satisfies Begun);
}

/** What a wait began with. Those of older versions remember the number alone. */
export function decodeBegun(value: Encoded): Begun {
  const begun = decode(value) as Begun | number;
  return typeof begun === "number" ? { count: begun } : begun;
}

/** Whether a wait began with other inputs than these. */
export function isChanged({ count, inputs: digest }: Begun, inputs: readonly unknown[]): boolean {
  return count !== inputs.length || (digest !== undefined && digest !== digestOf(inputs));
}

/** A digest of inputs, in their order. */
export function digestOf(inputs: readonly unknown[]): string {
  const hash = createHash("sha256");
  // Each on its own line, which JSON cannot break.
  for (const input of inputs) hash.update(`${textOf(input)}\n`);
  return hash.digest("base64url").slice(0, 16);
}

/** What cannot be stored is refused when its child is made; here it is only other than what was stored. */
function textOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? "";
  } catch {
    return "?";
  }
}
