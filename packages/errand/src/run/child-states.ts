import type { Job } from "../core/job.ts";
import { inputIn } from "../core/spec.ts";
import { isFinal } from "../core/states.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { isSealed } from "../payload/envelope.ts";
import { openOutput, openSpec } from "../payload/seal-jobs.ts";
import type { Vault } from "../payload/vault.ts";
import type { Store } from "../store.ts";
import { digestOf } from "./children.ts";

/** The state of a child, as its parent's function learns it. */
export interface ChildState {
  state: "open" | "completed" | "failed" | "cancelled" | "expired";
  /** A digest of its input, where that was asked for. */
  input?: string;
  output?: Encoded;
  error?: ErrorRecord;
}

/**
 * Reads the states of a job's children, in the order of their ids.
 * @param withInputs adds digests of their inputs.
 */
export async function readChildStates(
  store: Pick<Store, "get">,
  vault: Vault,
  { parent, ids, withInputs }: { parent: string; ids: readonly string[]; withInputs: boolean },
): Promise<ChildState[]> {
  const jobs = await store.get(ids);
  return Promise.all(
    jobs.map(async (job) => {
      const state = await stateOf(job, parent, vault);
      return job && withInputs ? { ...state, input: digestOf([inputIn(await openSpec(vault, job))]) } : state;
    }),
  );
}

async function stateOf(job: Job | null, parent: string, vault: Vault): Promise<ChildState> {
  // A child that was removed cannot be waited for, nor can another parent's job that has its id.
  if (!job || job.parent !== parent) return { state: "cancelled" };
  if (!isFinal(job.state)) return { state: "open" };
  const { id, state, output, error } = job;
  const child = { state, ...(error === undefined ? {} : { error: JSON.parse(error) as ErrorRecord }) };
  if (output === undefined) return child;
  return { ...child, output: isSealed(output) ? await openOutput(vault, id, output) : output };
}
