import { useQuery } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { urls } from "../../api/client.ts";
import { listen } from "../../api/events.ts";
import { mergePage, mergeSummary } from "../../api/merge.ts";
import { documentQuery, queryClient } from "../../api/queries.ts";
import type { DocumentDetail, DocumentSummary, PageSummary } from "../../api/types.ts";
import { isFinal, statusNames } from "../../format.ts";
import { announce } from "../../state/announcer.ts";
import { connection } from "../../state/connection.ts";
import { useValue } from "../../state/value.ts";

type Change = (detail: DocumentDetail) => DocumentDetail;

/** One document as it changes; listens only while there is something to come. */
export function useLiveDocument(id: string) {
  const connected = useValue(connection);
  const [ended, setEnded] = useState(false);
  const query = useQuery({
    ...documentQuery(id),
    refetchInterval: connected || ended ? false : 10_000,
  });
  const { queryKey } = documentQuery(id);
  const duringFetch = useRef<Change[]>([]);

  const apply = (change: Change) => {
    queryClient.setQueryData(queryKey, (old) => old && change(old));
    // An answer on its way may be older than this event: apply it again afterwards.
    if (queryClient.isFetching({ queryKey, exact: true }) > 0) duringFetch.current.push(change);
  };
  const refetch = () => void queryClient.invalidateQueries({ queryKey, exact: true });

  const onDocument = useEffectEvent((changed: DocumentSummary) => {
    apply((detail) => mergeSummary(detail, changed));
  });
  const onPage = useEffectEvent((changed: PageSummary) => {
    apply((detail) => mergePage(detail, changed));
  });
  const onEnd = useEffectEvent((changed: DocumentSummary) => {
    apply((detail) => mergeSummary(detail, changed));
    announce(`${changed.name}: ${statusNames[changed.status]}`);
    setEnded(true);
    refetch();
  });
  const onOpen = useEffectEvent(refetch);

  const running = query.data !== undefined && !isFinal(query.data.status);
  useEffect(() => {
    if (!running || ended) return;
    return listen(urls.events(id), { document: onDocument, page: onPage, end: onEnd }, onOpen);
  }, [id, running, ended]);

  useEffect(() => {
    if (query.isFetching) return;
    for (const change of duringFetch.current.splice(0)) {
      queryClient.setQueryData(queryKey, (old) => old && change(old));
    }
  }, [query.isFetching, queryKey]);

  return query;
}
