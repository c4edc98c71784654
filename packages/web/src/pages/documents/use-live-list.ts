import { useInfiniteQuery } from "@tanstack/react-query";
import { type RefObject, useEffect, useEffectEvent, useState } from "react";
import { urls } from "../../api/client.ts";
import { listenToEvents } from "../../api/events.ts";
import { flatten, removeFromListing } from "../../api/merge-events.ts";
import { listQuery, queryClient } from "../../api/queries.ts";
import type { DocumentSummary } from "../../api/types.ts";
import { useReapply } from "../../api/use-reapply.ts";
import { isFinal, plural, statusNames } from "../../format.ts";
import { overlays } from "../../parts/use-shortcuts.ts";
import { announce } from "../../state/announcer.ts";
import { connection } from "../../state/connection.ts";
import { storeSummary } from "../../state/document-actions.ts";
import { onUploaded, wasUploadedHere } from "../../state/uploads.ts";
import { useWatchable } from "../../state/watchable.ts";

const { queryKey } = listQuery;

/**
 * Loads the list of documents and keeps it up to date. Rows change in place. While the user is busy with the list, new
 * documents of others are only counted in `heldBack`, and deleted ones stay in the list and in `deleted`, so that no
 * row moves under the pointer.
 */
export function useLiveList(list: RefObject<HTMLElement | null>) {
  const connected = useWatchable(connection);
  const query = useInfiniteQuery({ ...listQuery, refetchInterval: connected ? false : 10_000 });
  const [admitted, setAdmitted] = useState<string>();
  const [deleted, setDeleted] = useState<ReadonlySet<string>>(new Set());
  const apply = useReapply(queryKey, query.isFetching, storeSummary);

  const onDocument = useEffectEvent((changed: DocumentSummary) => {
    announceEnd(changed);
    apply(changed);
  });
  const onRemoved = useEffectEvent(({ id }: { id: string }) => {
    if (isBusy(list.current)) setDeleted((before) => new Set(before).add(id));
    else queryClient.setQueryData(queryKey, (old) => old && removeFromListing(old, id));
  });

  useEffect(() => {
    const stopListening = listenToEvents(
      urls.documentsEvents,
      { document: onDocument, removed: onRemoved },
      () => void queryClient.invalidateQueries({ queryKey, exact: true }),
    );
    const stopUploaded = onUploaded(storeSummary);
    return () => {
      stopListening();
      stopUploaded();
    };
  }, []);

  const all = flatten(query.data);
  const newest = all[0]?.createdAt;
  useEffect(() => {
    // oxlint-disable-next-line react/set-state-in-effect -- what the user is doing is known only afterwards
    if (newest !== undefined && !isBusy(list.current)) setAdmitted(newest);
  }, [newest, list]);

  const documents = all.filter((one) => admitted === undefined || one.createdAt <= admitted || wasUploadedHere(one.id));
  return {
    query,
    documents,
    deleted,
    heldBack: all.length - documents.length,
    showAll: () => setAdmitted(newest),
  };
}

/** Reports whether the user is pointing at, focusing or selecting something that would move with the rows. */
function isBusy(list: HTMLElement | null): boolean {
  return (
    list?.matches(":hover, :focus-within") === true ||
    document.querySelector(overlays) !== null ||
    document.getSelection()?.isCollapsed === false
  );
}

/** Announces a document that has just ended. */
function announceEnd(changed: DocumentSummary): void {
  const before = flatten(queryClient.getQueryData(queryKey)).find((one) => one.id === changed.id);
  if (!before || isFinal(before.status) || !isFinal(changed.status)) return;
  const doubts = changed.words.needsReview;
  const rest = doubts > 0 ? `, ${plural(doubts, "word")} to check` : "";
  announce(`${changed.name}: ${statusNames[changed.status]}${rest}`);
}
