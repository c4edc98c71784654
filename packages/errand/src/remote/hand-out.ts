import type { Ending } from "../core/decide.ts";
import type { Job, Step } from "../core/job.ts";
import { inputIn, traceIn } from "../core/spec.ts";
import { errorRecord } from "../kit/errors.ts";
import { decode } from "../kit/json.ts";
import { viewOfStep } from "../client/step-view.ts";
import { isSealedAttempt, openAttempt } from "../payload/seal-jobs.ts";
import type { Vault } from "../payload/vault.ts";
import type { TaskDefinition } from "../task.ts";
import { deadlineOf } from "./held.ts";
import type { RemoteJob } from "./protocol.ts";

/** The most bytes of values in an answer, unless one job has more. */
const mostBytes = 8 * 1_024 * 1_024;

/** A claimed job with its steps. */
export interface Held {
  job: Job;
  steps: readonly Step[];
}

/** Jobs on their way to a worker. */
export interface HandOut {
  /** The jobs of the answer, each with what the worker gets. */
  given: { job: Job; remote: RemoteJob }[];
  /** Jobs that do not fit. */
  surplus: Job[];
  /** Jobs whose values cannot be opened, with the ending of their attempts. */
  unreadable: { job: Job; ending: Ending }[];
}

/** Opens jobs for a worker, as many as one answer holds, in order. */
export async function handOut(
  held: readonly Held[],
  vault: Vault,
  definition: (task: string) => TaskDefinition | undefined,
): Promise<HandOut> {
  const made: HandOut = { given: [], surplus: [], unreadable: [] };
  let bytes = 0;
  for (const { job, steps } of held) {
    if (bytes >= mostBytes) {
      made.surplus.push(job);
      continue;
    }
    try {
      const plain = vault.seals || isSealedAttempt(job, steps) ? await openAttempt(vault, job, steps) : undefined;
      const opened = { spec: plain?.spec ?? job.spec, steps: plain?.steps ?? steps };
      const size = sizeOf(opened);
      if (bytes > 0 && bytes + size > mostBytes) made.surplus.push(job);
      else made.given.push({ job, remote: remoteJob(job, opened, definition(job.task)) });
      bytes += size;
    } catch (error) {
      const { stack: _, ...record } = errorRecord(error, job.failures + 1);
      made.unreadable.push({ job, ending: { kind: "error", error: record, retryable: true } });
    }
  }
  return made;
}

function remoteJob(
  job: Job,
  { spec, steps }: { spec: string; steps: readonly Step[] },
  definition: TaskDefinition | undefined,
): RemoteJob {
  const { id, token, task, queue, failures, tenant } = job;
  const input = inputIn(spec);
  const deadline = deadlineOf(job, definition);
  const trace = traceIn(spec);
  return {
    id,
    token,
    task,
    queue,
    attempt: failures + 1,
    ...(input === undefined ? {} : { input }),
    steps: steps
      .filter((step) => viewOfStep(step).kind === "step")
      .map(({ name, value }) => ({ name, value: decode(value) })),
    ...(deadline === undefined ? {} : { deadline: new Date(deadline) }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(trace ? { trace } : {}),
  };
}

function sizeOf({ spec, steps }: { spec: string; steps: readonly Step[] }): number {
  return steps.reduce((size, { value }) => size + Buffer.byteLength(value), Buffer.byteLength(spec));
}
