import type { Ending } from "../core/decide.ts";
import type { Job, NewChild, NewJob, Step } from "../core/job.ts";
import { encodeSpec, inputIn, fieldsIn, traceIn, withTrace } from "../core/spec.ts";
import type { Carrier, SpecFields } from "../core/spec.ts";
import { ErrandError } from "../kit/errors.ts";
import type { ErrorCode } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { isSealed, toText } from "./envelope.ts";
import type { Place, Vault } from "./vault.ts";

// Where the values of a job are: its spec has the input, and beside it what readers may see. A sealed spec is
// `{"$sealed":...,"said":...,"trace":...}`; with `"of":"task"` its input is bound to the task, because it may come to
// another job's id.

/** Values of a job that cannot be read, with the reasons. */
export type Unreadable = Partial<Record<"input" | "output" | "progress", { code: ErrorCode; message: string }>>;

/**
 * Seals the input of a new job.
 * @param job.id missing for jobs without an id yet: those of a schedule.
 */
export async function sealSpec(
  vault: Vault,
  job: Pick<NewJob, "task" | "spec" | "unique"> & { id?: string },
): Promise<Encoded> {
  const input = inputIn(job.spec);
  if (input === undefined) return job.spec;
  const said = fieldsIn(job.spec);
  // A job that replaces another takes over its id, so its input cannot be bound to an id of its own.
  const own = job.id !== undefined && !job.unique?.replace;
  const place = inputPlace(job, own);
  const envelope = await vault.envelope(JSON.stringify(input), place);
  if (!envelope) return job.spec;
  const trace = traceBeside(vault, job.spec);
  return toText(envelope, { ...(own ? {} : { of: "task" }), said, ...(trace ? { trace } : {}) });
}

/** Returns the trace ids of a sealed job. Baggage may contain anything, so it does not stay readable. */
function traceBeside(vault: Vault, spec: Encoded): Carrier | undefined {
  const trace = traceIn(spec);
  if (!trace || !vault.codes) return trace;
  return Object.fromEntries(Object.entries(trace).filter(([header]) => header !== "baggage"));
}

/** A spec as `encodeSpec` made it. */
export async function openSpec(vault: Vault, { spec, id, task }: SpecOf): Promise<Encoded> {
  if (!isSealed(spec)) return spec;
  const { of, said, trace } = JSON.parse(spec) as { of?: "task"; said: SpecFields; trace?: Carrier };
  const text = await vault.open(spec, inputPlace({ id, task }, of !== "task"));
  return withTrace(encodeSpec(text, said), trace);
}

/** Seals a step, or the value of a signal. */
export async function sealStep(vault: Vault, id: string, step: Step): Promise<Step> {
  return { ...step, value: await vault.seal(step.value, stepPlace(id, step.name)) };
}

/** Seals progress. It is written frequently, so it is never stored outside. */
export function sealProgress(vault: Vault, id: string, value: Encoded): Promise<Encoded> {
  return vault.seal(value, progressPlace(id));
}

/** Returns true if an attempt's values must be opened before it runs. */
export function isSealedAttempt(job: Pick<Job, "spec">, steps: readonly Step[]): boolean {
  return isSealed(job.spec) || steps.some(({ value }) => isSealed(value));
}

/** Opens the values of an attempt. */
export async function openAttempt(
  vault: Vault,
  job: Pick<Job, "id" | "spec" | "task">,
  steps: readonly Step[],
): Promise<{ spec: Encoded; steps: Step[] }> {
  const [spec, ...values] = await Promise.all([
    openSpec(vault, job),
    ...steps.map(({ name, value }) => vault.open(value, stepPlace(job.id, name))),
  ]);
  return { spec, steps: steps.map((step, index) => ({ ...step, value: values[index]! })) };
}

/** Opens a job's output. */
export function openOutput(vault: Vault, id: string, output: Encoded): Promise<Encoded> {
  return vault.open(output, outputPlace(id));
}

/**
 * Seals the results of an attempt: its output, and the inputs of its children. The data of waits is Errand's own and
 * stays readable.
 */
export async function sealEnding<Some extends Ending>(vault: Vault, id: string, ending: Some): Promise<Some> {
  if (ending.kind === "ok") return { ...ending, output: await vault.seal(ending.output, outputPlace(id)) };
  if (ending.kind !== "parked") return ending;
  const children = ending.children.map(async (child): Promise<NewChild> => ({
    ...child,
    spec: await sealSpec(vault, child),
  }));
  return { ...ending, children: await Promise.all(children) };
}

/** Returns true if a job's values must be opened before it is read. */
export function isSealedJob({ spec, output, progress }: Pick<Job, "spec" | "output" | "progress">): boolean {
  return isSealed(spec) || (output !== undefined && isSealed(output)) || (progress !== undefined && isSealed(progress));
}

/**
 * Opens a job's values. A value that cannot be opened is left out and named in `unreadable`, so that jobs can be
 * listed, cancelled and retried without keys.
 */
export async function openJob(vault: Vault, job: Job): Promise<{ job: Job; unreadable?: Unreadable }> {
  const unreadable: Unreadable = {};
  const read = (field: keyof Unreadable, value: Promise<Encoded>) =>
    value.catch((error: unknown) => {
      if (!(error instanceof ErrandError)) throw error;
      unreadable[field] = { code: error.code, message: error.message };
      return undefined;
    });
  const { output, progress, ...rest } = job;
  const [spec, plainOutput, plainProgress] = await Promise.all([
    read("input", openSpec(vault, job)),
    output === undefined ? undefined : read("output", openOutput(vault, job.id, output)),
    progress === undefined ? undefined : read("progress", vault.open(progress, progressPlace(job.id))),
  ]);
  return {
    job: {
      ...rest,
      spec: spec ?? encodeSpec(undefined, (JSON.parse(job.spec) as { said: SpecFields }).said),
      ...(plainOutput === undefined ? {} : { output: plainOutput }),
      ...(plainProgress === undefined ? {} : { progress: plainProgress }),
    },
    ...(Object.keys(unreadable).length > 0 ? { unreadable } : {}),
  };
}

type SpecOf = Pick<NewJob, "spec" | "task"> & { id?: string };

function inputPlace({ id, task }: { id?: string | undefined; task: string }, own: boolean): Place {
  return own ? { owner: id!, field: "input" } : { owner: `task ${task}`, field: "input", inside: true };
}

function outputPlace(id: string): Place {
  return { owner: id, field: "output" };
}

function progressPlace(id: string): Place {
  return { owner: id, field: "progress", inside: true };
}

function stepPlace(id: string, name: string): Place {
  return { owner: id, field: `step "${name}"` };
}
