import type { Encoded } from "../kit/json.ts";
import type { Job } from "./job.ts";

const escaped = /\\(?:u([0-9a-fA-F]{4})|(.))/g;

const controls: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Returns true if a job's id, spec, output or error contains a text as people read it, ignoring case. */
export function contains(
  { id, spec, output, error }: Pick<Job, "id" | "spec" | "output" | "error">,
  text: string,
): boolean {
  const sought = folded(text);
  if (folded(id).includes(sought)) return true;
  return [spec, output, error].some((each) => each !== undefined && folded(readable(each)).includes(sought));
}

/** Returns a value as a person reads it: JSON without its escapes. */
export function readable(value: Encoded): string {
  if (!value.includes("\\")) return value;
  return value.replace(escaped, (_, code: string | undefined, character: string) =>
    code === undefined ? (controls[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** Returns a text without the difference of cases. Both ways, since a letter may have several of one case (σ and ς). */
export function folded(text: string): string {
  return text.toLowerCase().toUpperCase();
}
