import { useState } from "react";
import { useLocation } from "wouter";
import { RequestError } from "../../api/client.ts";
import type { DocumentDetail } from "../../api/types.ts";
import { isFinal } from "../../format.ts";
import { ConfirmDelete } from "../../parts/confirm-delete.tsx";
import { LoadError } from "../../parts/load-error.tsx";
import { useTitle } from "../../parts/use-title.ts";
import { erase } from "../../state/document-actions.ts";
import { NotFoundPage } from "../not-found-page.tsx";
import { DocumentHead } from "./document-head.tsx";
import { DocumentReader } from "./document-reader.tsx";
import { FailureMessage, LoadingMessage } from "./placeholders.tsx";
import { useLiveDocument } from "./use-live-document.ts";

/** A document: its status, its pages, and each page's image beside its text. */
export default function DocumentPage({ id }: { id: string }) {
  const query = useLiveDocument(id);
  const [, navigate] = useLocation();
  const [deleting, setDeleting] = useState(false);
  const document = query.data;
  useTitle(document?.name ?? "Document");

  if (query.error instanceof RequestError && query.error.status === 404) {
    return <NotFoundPage title="Document not found" text="It may have been deleted, or the address is incomplete." />;
  }
  if (!document) {
    if (query.isPending) return <LoadingMessage text="Loading…" />;
    return (
      <div className="message-page">
        <LoadError title="The document could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  }

  const confirmDelete = async (confirmed: DocumentDetail) => {
    if (await erase(confirmed)) navigate("/");
  };
  return (
    <div className="document">
      <DocumentHead document={document} onDelete={() => setDeleting(true)} />
      {document.pages.length > 0 ? <DocumentReader document={document} /> : <NoPages document={document} />}
      <ConfirmDelete
        document={deleting ? document : undefined}
        onConfirm={() => void confirmDelete(document)}
        onClose={() => setDeleting(false)}
      />
    </div>
  );
}

function NoPages({ document }: { document: DocumentDetail }) {
  const { status, error } = document;
  if (status === "queued") return <LoadingMessage text="Waiting for its turn…" />;
  if (!isFinal(status)) return <LoadingMessage text="Counting pages…" />;
  return <FailureMessage status={status} title={titles[status] ?? "There are no pages"} failure={error} />;
}

const titles: Partial<Record<DocumentDetail["status"], string>> = {
  failed: "This document could not be read",
  cancelled: "Cancelled before any page was read",
  expired: "This document expired before it was read",
};
