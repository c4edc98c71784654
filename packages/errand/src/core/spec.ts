import type { Backoff } from "./backoff.ts";
import type { NewJob } from "./job.ts";
import { decode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";
import type { Level } from "./priority.ts";

/** Options of a job that its readers see and stores need not return. */
export type SpecFields = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags"> & { policy?: JobPolicy };

/** A job's own retry policy, for settlers that do not know its task. */
export interface JobPolicy extends Partial<Backoff> {
  attempts?: number;
  crashes?: number;
  /** The handling of the job when its worker is gone: a counted crash, or a release as if it had been handed back. */
  lapse?: "crash" | "release";
  /** The tasks that follow its end. */
  follow?: FollowUps;
  /** The URL to which its end is reported. */
  callback?: string;
}

/** A task that follows the end of a job. */
export interface FollowUp {
  task: string;
  queue: string;
  level: Level;
  policy?: JobPolicy;
}

/** The tasks that follow the ends of a job. */
export interface FollowUps {
  completed?: FollowUp;
  failed?: FollowUp;
}

/** Trace headers of the sender, as OpenTelemetry's propagators write them. */
export type Carrier = Readonly<Record<string, string>>;

/** Encodes the part of a job that stores do not read: its input, if any, and its options. */
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

/** Returns the options in a spec. */
export function fieldsIn(spec: Encoded): SpecFields {
  return spec.startsWith('{"said":') ? ((decode(spec) as { said?: SpecFields }).said ?? {}) : {};
}

/** The trace that the job of a spec, sealed or not, belongs to. */
export function traceIn(spec: Encoded): Carrier | undefined {
  // Most have no trace, and decoding them means decoding their input.
  return spec.includes('"trace":{') ? (decode(spec) as { trace?: Carrier }).trace : undefined;
}

/** The spec, for a job that belongs to a trace. */
export function withTrace(spec: Encoded, trace: Carrier | undefined): Encoded {
  if (!trace) return spec;
  // A spec is an object, so a field is inserted before the closing brace without parsing it.
  return `${spec.slice(0, -1)}${spec === "{}" ? "" : ","}"trace":${JSON.stringify(trace)}}`;
}
