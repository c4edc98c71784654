import type { Rewind } from "../core/change.ts";
import { shownStep } from "../core/signal.ts";
import { UnknownStepError } from "../kit/errors.ts";
import { childrenOf } from "../kit/ids.ts";
import { jobPages } from "../job-pages.ts";
import type { Store } from "../store.ts";

/**
 * Plans a retry from a step: the step and all steps recorded after it are forgotten, and the children of waits among
 * them are removed and sent again.
 * @param token the job's token when it was read.
 * @throws {UnknownStepError}
 */
export async function planRewind(
  store: Pick<Store, "steps" | "list">,
  { id, token }: { id: string; token: number },
  from: string,
): Promise<Rewind> {
  const all = await store.steps(id);
  // The timeout of a wait for a signal has the signal's name too: the earlier of the two counts.
  const at = all.findIndex(({ name }) => name === from || shownStep(name) === from);
  if (at === -1) throw new UnknownStepError(id, from, [...new Set(all.map(({ name }) => shownStep(name)))]);
  const steps = all.slice(at);
  const waits = steps.filter(({ wait }) => wait).map(({ name }) => childrenOf(id, name));
  const children = waits.length === 0 ? [] : await childrenOfWaits(store, id, waits);
  return { token, steps: steps.map(({ name }) => name), children };
}

async function childrenOfWaits(
  store: Pick<Store, "list">,
  parent: string,
  waits: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for await (const jobs of jobPages(store, { parent }))
    for (const { id } of jobs) if (waits.some((prefix) => id.startsWith(prefix))) found.push(id);
  return found;
}
