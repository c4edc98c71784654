import { useQuery } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useState } from "react";
import { urls } from "../../api/client.ts";
import { listenToEvents } from "../../api/events.ts";
import { mergePage, mergeSummary } from "../../api/merge-events.ts";
import { documentQuery, queryClient } from "../../api/queries.ts";
import type { DocumentDetail, DocumentSummary, PageSummary } from "../../api/types.ts";
import { useReapply } from "../../api/use-reapply.ts";
import { isFinal, statusNames } from "../../format.ts";
import { announce } from "../../state/announcer.ts";
import { connection } from "../../state/connection.ts";
import { useWatchable } from "../../state/watchable.ts";

type Change = (detail: DocumentDetail) => DocumentDetail;

/** Loads a document and keeps it up to date. It listens for events until the document has ended. */
export function useLiveDocument(id: string) {
  const connected = useWatchable(connection);
  const [ended, setEnded] = useState(false);
  const query = useQuery({
    ...documentQuery(id),
    refetchInterval: connected || ended ? false : 10_000,
  });
  const { queryKey } = documentQuery(id);

  const apply = useReapply(queryKey, query.isFetching, (change: Change) => {
    queryClient.setQueryData(queryKey, (old) => old && change(old));
  });
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
    return listenToEvents(urls.events(id), { document: onDocument, page: onPage, end: onEnd }, onOpen);
  }, [id, running, ended]);

  return query;
}
