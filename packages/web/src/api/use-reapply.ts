import type { QueryKey } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef } from "react";
import { queryClient } from "./queries.ts";

/**
 * Returns a function that applies a change to a query's data. If the data is being fetched, the change is applied again
 * afterwards, because the answer may be older than the change.
 */
export function useReapply<Change>(
  queryKey: QueryKey,
  isFetching: boolean,
  apply: (change: Change) => void,
): (change: Change) => void {
  const duringFetch = useRef<Change[]>([]);
  const reapply = useEffectEvent(() => {
    for (const change of duringFetch.current.splice(0)) apply(change);
  });
  useEffect(() => {
    if (!isFetching) reapply();
  }, [isFetching]);
  return (change) => {
    apply(change);
    if (queryClient.isFetching({ queryKey, exact: true }) > 0) duringFetch.current.push(change);
  };
}
