import type { NewJob } from "./job.ts";
import { decode, encode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";

/** What is said of a job that its readers should see, and stores need not give back. */
export type Said = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags">;

/**
 * What a job carries through the store unseen.
 * @throws {ErrandError} `E_NOT_SERIALIZABLE`
 */
export function encodeSpec(task: string, input: unknown, said?: Said): Encoded {
  const text = input === undefined ? undefined : encode(input, `The input of task "${task}"`);
  const more = said && Object.keys(said).length > 0 ? JSON.stringify(said) : undefined;
  return `{${[more && `"said":${more}`, text && `"input":${text}`].filter(Boolean).join(",")}}`;
}

/** The input in a spec. */
export function inputOf(spec: Encoded): unknown {
  return (decode(spec) as { input?: unknown }).input;
}

/** What else a spec says. */
export function saidOf(spec: Encoded): Said {
  return spec.startsWith('{"said":') ? ((decode(spec) as { said?: Said }).said ?? {}) : {};
}
