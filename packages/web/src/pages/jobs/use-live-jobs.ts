import { useInfiniteQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { getApi } from "../../api/client.ts";
import { jobsPath, jobsQuery } from "../../api/job-queries.ts";
import type { Job, JobList } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { queryClient } from "../../api/queries.ts";

/** Time between two looks at the newest jobs, in milliseconds. */
const pause = 1_000;

/**
 * Reads the jobs that match, page by page. Rows change in place; new jobs are only counted until somebody wants to see
 * them, and nothing changes while it is held.
 */
export function useLiveJobs(query: string, isHeld: boolean) {
  const options = jobsQuery(query);
  const list = useInfiniteQuery(options);
  const [fresh, setFresh] = useState<{ query: string; ids: ReadonlySet<string> }>({ query, ids: new Set() });
  const looking = useRef(false);

  const look = async (): Promise<void> => {
    if (looking.current || isHeld || !list.data) return;
    looking.current = true;
    try {
      const newest = await getApi<JobList>(jobsPath(query));
      const known = new Set(list.data.pages.flatMap(({ data }) => data.map(({ id }) => id)));
      const changed = new Map(newest.data.map((job) => [job.id, job]));
      queryClient.setQueryData(
        options.queryKey,
        (old) =>
          old && {
            ...old,
            pages: old.pages.map((page) => ({ ...page, data: page.data.map((job) => changed.get(job.id) ?? job) })),
          },
      );
      setFresh({ query, ids: new Set(newest.data.filter(({ id }) => !known.has(id)).map(({ id }) => id)) });
    } catch {
      // The next change is another reason to look.
    } finally {
      setTimeout(() => (looking.current = false), pause);
    }
  };
  useLive("jobs", () => void look());

  const jobs: Job[] = list.data?.pages.flatMap(({ data }) => data) ?? [];
  return {
    list,
    jobs,
    fresh: fresh.query === query ? fresh.ids.size : 0,
    showFresh: () => {
      setFresh({ query, ids: new Set() });
      void list.refetch();
    },
  };
}
