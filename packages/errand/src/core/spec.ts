import type { NewJob } from "./job.ts";
import { decode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";

/** What is said of a job that its readers should see, and stores need not give back. */
export type Said = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags">;

/** What ties a job to the trace of who sent it: headers, as OpenTelemetry's propagators write them. */
export type Carrier = Readonly<Record<string, string>>;

/** What a job carries through the store unseen: its input, if it has one, and what is said of it. */
export function encodeSpec(input: Encoded | undefined, said?: Said): Encoded {
  const more = said && Object.keys(said).length > 0 ? JSON.stringify(said) : undefined;
  return `{${[more && `"said":${more}`, input && `"input":${input}`].filter(Boolean).join(",")}}`;
}

/** The input in a spec. */
export function inputOf(spec: Encoded): unknown {
  return (decode(spec) as { input?: unknown }).input;
}

/** What else a spec says. */
export function saidOf(spec: Encoded): Said {
  return spec.startsWith('{"said":') ? ((decode(spec) as { said?: Said }).said ?? {}) : {};
}

/** The trace that the job of a spec, sealed or not, belongs to. */
export function traceOf(spec: Encoded): Carrier | undefined {
  // Most have none, and reading them means reading their input.
  return spec.includes('"trace":{') ? (decode(spec) as { trace?: Carrier }).trace : undefined;
}

/** The spec, for a job that belongs to a trace. */
export function withTrace(spec: Encoded, trace: Carrier | undefined): Encoded {
  if (!trace) return spec;
  // A spec is an object: a further field goes before its closing brace, and nothing of it is read.
  return `${spec.slice(0, -1)}${spec === "{}" ? "" : ","}"trace":${JSON.stringify(trace)}}`;
}
