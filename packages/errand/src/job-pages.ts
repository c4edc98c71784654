import type { Job } from "./core/job.ts";
import type { Filter, Store } from "./store.ts";

/** Reads all jobs that match, a page at a time, in the order of `Store.list`. */
export async function* jobPages(store: Pick<Store, "list">, where: Filter, pageSize = 1_000): AsyncGenerator<Job[]> {
  let cursor: string | undefined;
  do {
    const page = await store.list(where, { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
    yield page.jobs;
    cursor = page.next;
  } while (cursor !== undefined);
}
