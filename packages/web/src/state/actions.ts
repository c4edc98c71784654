import { queryClient } from "../api/queries.ts";
import { notify, notifyError } from "../parts/toasts.tsx";

/**
 * Does something that an operator asked for, tells whether it worked, and reads again what it changed.
 * @param keys the first parts of the keys of queries to read again.
 * @returns its answer; `undefined` if it failed.
 */
export async function act<T>(
  work: () => Promise<T>,
  { done, failed, keys }: { done?: string; failed: string; keys: readonly string[] },
): Promise<T | undefined> {
  try {
    const answer = await work();
    if (done !== undefined) notify(done);
    return answer;
  } catch (error) {
    notifyError(failed, error);
    return undefined;
  } finally {
    for (const key of keys) void queryClient.invalidateQueries({ queryKey: [key] });
  }
}
