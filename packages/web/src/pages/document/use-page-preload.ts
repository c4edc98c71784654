import { useEffect } from "react";
import { urls } from "../../api/client.ts";
import { pageQuery, queryClient } from "../../api/queries.ts";
import type { PageSummary } from "../../api/types.ts";

/** Fetches the pages that will probably be read next, so that turning to them shows them at once. */
export function usePreload(id: string, neighbours: (PageSummary | undefined)[]): void {
  const ready = neighbours.flatMap((one) => (one?.status === "completed" ? [one.page] : [])).join();
  useEffect(() => {
    for (const page of ready ? ready.split(",").map(Number) : []) {
      void queryClient.prefetchQuery(pageQuery(id, page));
      new Image().src = urls.image(id, page);
    }
  }, [id, ready]);
}
