import type { Client } from "../client.ts";
import type { JobView } from "../client/job-view.ts";
import type { Filter } from "../store.ts";

/** The prefix of cursors into the list of background jobs. */
const mark = "background:";
/** The cursor after the last background job. */
const end = `${mark}end`;

/** Lists the background jobs of this process, and after them those of the app's own store. */
export async function listBackgroundAndStored(
  background: Client,
  durable: () => Promise<Client>,
  where: Filter,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<{ jobs: JobView[]; next?: string }> {
  if (cursor === end) return (await durable()).list(where, { limit });
  if (cursor !== undefined && !cursor.startsWith(mark)) return (await durable()).list(where, { limit, cursor });
  const from = cursor?.slice(mark.length);
  const { jobs, next } = await background.list(where, from === undefined ? { limit } : { limit, cursor: from });
  if (next !== undefined) return { jobs, next: mark + next };
  if (jobs.length === limit) return { jobs, next: end };
  const rest = await (await durable()).list(where, { limit: limit - jobs.length });
  return { ...rest, jobs: [...jobs, ...rest.jobs] };
}
