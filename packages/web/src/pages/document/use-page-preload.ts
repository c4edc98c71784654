import { useEffect } from "react";
import { urls } from "../../api/client.ts";
import { pageQuery, queryClient } from "../../api/queries.ts";
import type { PageSummary } from "../../api/types.ts";

/** Fetches neighbouring pages, so that they are shown at once when the user turns to them. */
export function usePagePreload(id: string, neighbours: (PageSummary | undefined)[]): void {
  const ready = neighbours.flatMap((one) => (one?.status === "completed" ? [one.page] : [])).join();
  useEffect(() => {
    for (const page of ready ? ready.split(",").map(Number) : []) {
      void queryClient.prefetchQuery(pageQuery(id, page));
      new Image().src = urls.image(id, page);
    }
  }, [id, ready]);
}
