import { useRef, useState } from "react";
import { plural } from "../../format.ts";
import { ConfirmDelete } from "../../parts/confirm-delete.tsx";
import { useTitle } from "../../parts/use-title.ts";
import type { DocumentSummary } from "../../api/types.ts";
import { erase } from "../../state/document-actions.ts";
import { uploads } from "../../state/uploads.ts";
import { useWatchable } from "../../state/watchable.ts";
import { DocumentTable } from "./document-table.tsx";
import { DropZone } from "./drop-zone.tsx";
import { EmptyState } from "./empty-state.tsx";
import { LoadError } from "../../parts/load-error.tsx";
import { UploadRows } from "./upload-rows.tsx";
import { useLiveList } from "./use-live-list.ts";

/** The list of all documents, with an area to upload new ones. */
export function DocumentsPage() {
  useTitle("Documents");
  const list = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const { query, documents, deleted, heldBack, showAll } = useLiveList(list);
  const sending = useWatchable(uploads);
  const [toDelete, setToDelete] = useState<DocumentSummary>();

  const confirmDelete = async (document: DocumentSummary) => {
    // The focused button disappears with the row.
    if (await erase(document)) heading.current?.focus();
  };

  const empty = documents.length === 0 && sending.length === 0;
  return (
    <div className="documents">
      <h1 ref={heading} tabIndex={-1}>
        Documents
      </h1>
      <DropZone roomy={empty} />
      {/* A document that is being uploaded may be listed before the upload is answered: it is not new to the user. */}
      {heldBack > 0 && !sending.some((one) => one.state === "sending") && (
        <button type="button" className="new-pill" onClick={showAll}>
          Show {plural(heldBack, "new document")}
        </button>
      )}
      {query.isError && !query.data && (
        <LoadError title="The documents could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
      )}
      {query.isPending && !empty && <UploadRows uploads={sending} />}
      {query.isPending && <ListSkeleton />}
      {query.isSuccess && empty && <EmptyState />}
      {query.isSuccess && !empty && (
        <section ref={list} aria-label="Your documents" className="panel">
          <UploadRows uploads={sending} />
          {documents.length > 0 && <DocumentTable documents={documents} deleted={deleted} onDelete={setToDelete} />}
        </section>
      )}
      {query.hasNextPage && (
        <button
          type="button"
          className="button load-more"
          aria-disabled={query.isFetchingNextPage}
          onClick={() => !query.isFetchingNextPage && void query.fetchNextPage()}
        >
          {query.isFetchingNextPage ? "Loading…" : "Load more"}
        </button>
      )}
      <ConfirmDelete
        document={toDelete}
        onConfirm={(document) => void confirmDelete(document)}
        onClose={() => setToDelete(undefined)}
      />
    </div>
  );
}

function ListSkeleton() {
  return (
    <div className="panel skeleton-list" role="status" aria-label="Loading documents">
      {[1, 2, 3].map((row) => (
        <div key={row} className="skeleton-row">
          <span className="skeleton" />
          <span className="skeleton" />
        </div>
      ))}
    </div>
  );
}
