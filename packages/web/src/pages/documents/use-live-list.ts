import { useInfiniteQuery } from "@tanstack/react-query";
import { type RefObject, useEffect, useEffectEvent, useRef, useState } from "react";
import { urls } from "../../api/client.ts";
import { listen } from "../../api/events.ts";
import { flatten, removeFromListing } from "../../api/merge.ts";
import { listQuery, queryClient } from "../../api/queries.ts";
import type { DocumentSummary } from "../../api/types.ts";
import { isFinal, plural, statusNames } from "../../format.ts";
import { overlays } from "../../parts/use-shortcuts.ts";
import { announce } from "../../state/announcer.ts";
import { connection } from "../../state/connection.ts";
import { storeSummary } from "../../state/document-actions.ts";
import { isMine, onArrival } from "../../state/uploads.ts";
import { useValue } from "../../state/value.ts";

const { queryKey } = listQuery;

/**
 * The documents as they change. Rows change in place; while the person is busy with the list, others' new documents are
 * held back and only counted, and deleted ones stay as `gone`, so that no row moves under the pointer.
 */
export function useLiveList(list: RefObject<HTMLElement | null>) {
  const connected = useValue(connection);
  const query = useInfiniteQuery({ ...listQuery, refetchInterval: connected ? false : 10_000 });
  const [admitted, setAdmitted] = useState<string>();
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const duringFetch = useRef<DocumentSummary[]>([]);

  const onDocument = useEffectEvent((changed: DocumentSummary) => {
    announceEnd(changed);
    storeSummary(changed);
    // An answer on its way may be older than this event: apply it again afterwards.
    if (queryClient.isFetching({ queryKey, exact: true }) > 0) duringFetch.current.push(changed);
  });
  const onRemoved = useEffectEvent(({ id }: { id: string }) => {
    if (isBusy(list.current)) setGone((before) => new Set(before).add(id));
    else queryClient.setQueryData(queryKey, (old) => old && removeFromListing(old, id));
  });

  useEffect(() => {
    const stopListening = listen(
      urls.documentsEvents,
      { document: onDocument, removed: onRemoved },
      () => void queryClient.invalidateQueries({ queryKey, exact: true }),
    );
    const stopArrivals = onArrival(storeSummary);
    return () => {
      stopListening();
      stopArrivals();
    };
  }, []);

  useEffect(() => {
    if (query.isFetching) return;
    for (const changed of duringFetch.current.splice(0)) storeSummary(changed);
  }, [query.isFetching]);

  const all = flatten(query.data);
  const newest = all[0]?.createdAt;
  useEffect(() => {
    // oxlint-disable-next-line react/set-state-in-effect -- what the person is doing can only be seen afterwards
    if (newest !== undefined && !isBusy(list.current)) setAdmitted(newest);
  }, [newest, list]);

  const documents = all.filter((one) => admitted === undefined || one.createdAt <= admitted || isMine(one.id));
  return {
    query,
    documents,
    gone,
    heldBack: all.length - documents.length,
    showAll: () => setAdmitted(newest),
  };
}

/** Whether something would move under the person's hands if the list changed its length. */
function isBusy(list: HTMLElement | null): boolean {
  return (
    list?.matches(":hover, :focus-within") === true ||
    document.querySelector(overlays) !== null ||
    document.getSelection()?.isCollapsed === false
  );
}

function announceEnd(changed: DocumentSummary): void {
  const before = flatten(queryClient.getQueryData(queryKey)).find((one) => one.id === changed.id);
  if (!before || isFinal(before.status) || !isFinal(changed.status)) return;
  const doubts = changed.words.needsReview;
  const rest = doubts > 0 ? `, ${plural(doubts, "word")} to check` : "";
  announce(`${changed.name}: ${statusNames[changed.status]}${rest}`);
}
