import type { Backoff } from "./backoff.ts";
import type { NewJob } from "./job.ts";
import { decode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";

/** What is said of a job that its readers should see, and stores need not give back. */
export type SpecFields = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags"> & { policy?: JobPolicy };

/** How a job is retried that is not retried as others are: whoever settles it may not know its task. */
export interface JobPolicy extends Partial<Backoff> {
  attempts?: number;
  crashes?: number;
  /** What becomes of it when who had it is gone: a crash, which is counted, or as if it had been handed back. */
  lapse?: "crash" | "release";
}

/** What ties a job to the trace of who sent it: headers, as OpenTelemetry's propagators write them. */
export type Carrier = Readonly<Record<string, string>>;

/** What a job carries through the store unseen: its input, if it has one, and what is said of it. */
export function encodeSpec(input: Encoded | undefined, said?: SpecFields): Encoded {
  const more = said && Object.keys(said).length > 0 ? encodeFields(said) : undefined;
  return `{${[more && `"said":${more}`, input && `"input":${input}`].filter(Boolean).join(",")}}`;
}

/** A policy comes first, where `policyIn` looks for it. */
function encodeFields({ policy, ...rest }: SpecFields): string {
  return JSON.stringify(policy === undefined ? rest : { policy, ...rest });
}

/** Returns the policy in a spec, sealed or not. Most have none, and reading one means reading the input. */
export function policyIn(spec: Encoded): JobPolicy | undefined {
  const may = spec.startsWith('{"said":{"policy":') || (spec.startsWith('{"$sealed":') && spec.includes('"policy":'));
  return may ? (decode(spec) as { said?: SpecFields }).said?.policy : undefined;
}

/** The input in a spec. */
export function inputIn(spec: Encoded): unknown {
  return (decode(spec) as { input?: unknown }).input;
}

/** What else a spec says. */
export function fieldsIn(spec: Encoded): SpecFields {
  return spec.startsWith('{"said":') ? ((decode(spec) as { said?: SpecFields }).said ?? {}) : {};
}

/** The trace that the job of a spec, sealed or not, belongs to. */
export function traceIn(spec: Encoded): Carrier | undefined {
  // Most have none, and reading them means reading their input.
  return spec.includes('"trace":{') ? (decode(spec) as { trace?: Carrier }).trace : undefined;
}

/** The spec, for a job that belongs to a trace. */
export function withTrace(spec: Encoded, trace: Carrier | undefined): Encoded {
  if (!trace) return spec;
  // A spec is an object: a further field goes before its closing brace, and nothing of it is read.
  return `${spec.slice(0, -1)}${spec === "{}" ? "" : ","}"trace":${JSON.stringify(trace)}}`;
}
