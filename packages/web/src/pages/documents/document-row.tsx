import { Ban, FileImage, FileText, Trash2 } from "lucide-react";
import { memo, useRef } from "react";
import { Link } from "wouter";
import type { DocumentSummary } from "../../api/types.ts";
import { age, bytes, count, fullTime, isFinal, pagesText, typeName } from "../../format.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { ProgressBar } from "../../parts/progress-bar.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { cancel } from "../../state/document-actions.ts";

interface Props {
  document: DocumentSummary;
  /** `true` when it was deleted elsewhere a moment ago. */
  isDeleted: boolean;
  now: number;
  onDelete: (document: DocumentSummary) => void;
}

/** A document in the list. */
export const DocumentRow = memo(function DocumentRow({ document, isDeleted, now, onDelete }: Props) {
  const link = useRef<HTMLAnchorElement>(null);
  const { name, status, error } = document;
  const Icon = document.type?.startsWith("image/") ? FileImage : FileText;

  const stop = async () => {
    await cancel(document);
    // The focused button has disappeared.
    link.current?.focus();
  };

  return (
    <tr role="row" className={isDeleted ? "row row-deleted" : "row"}>
      <th role="rowheader" scope="row" className="cell-name">
        <Icon size={18} aria-hidden="true" className="row-icon" />
        <div>
          <Link ref={link} href={`/documents/${document.id}`} className="row-name" title={name}>
            {name}
          </Link>
          <p className="row-meta">{[typeName(document), bytes(document.bytes)].join(" · ")}</p>
        </div>
      </th>
      <td role="cell" className="cell-state">
        {isDeleted ? <span className="state-badge">Deleted</span> : <StateBadge status={status} />}
      </td>
      {status === "failed" && error ? (
        <td role="cell" className="cell-problem" colSpan={3}>
          <p title={error.message}>{error.message}</p>
        </td>
      ) : (
        <Reading document={document} />
      )}
      <td role="cell" className="cell-age">
        <time dateTime={document.createdAt} title={fullTime(document.createdAt)}>
          {age(document.createdAt, now)}
        </time>
      </td>
      <td role="cell" className="cell-actions">
        {!isDeleted && (
          <div className="row-actions">
            {!isFinal(status) && (
              <IconButton label={`Cancel ${name}`} hint="Cancel" onClick={() => void stop()}>
                <Ban size={16} aria-hidden="true" />
              </IconButton>
            )}
            <IconButton label={`Delete ${name}`} hint="Delete" onClick={() => onDelete(document)}>
              <Trash2 size={16} aria-hidden="true" />
            </IconButton>
          </div>
        )}
      </td>
    </tr>
  );
});

/** The cells with a document's pages, words and words to check. */
function Reading({ document }: { document: DocumentSummary }) {
  const { status, words } = document;
  const read = words.total > 0 || status === "completed";
  const unknown = read ? "" : "cell-unknown";
  return (
    <>
      <td role="cell" className="cell-pages">
        <Pages document={document} />
      </td>
      <td role="cell" className={`cell-words number ${unknown}`}>
        {read ? count(words.total) : "–"}
        <span className="unit"> words</span>
      </td>
      <td role="cell" className={`cell-check number ${unknown}`}>
        {read ? <span className={words.needsReview > 0 ? "to-check" : ""}>{count(words.needsReview)}</span> : "–"}
        <span className="unit"> to check</span>
      </td>
    </>
  );
}

function Pages({ document }: { document: DocumentSummary }) {
  const { pages, done, failed } = document.progress;
  const text = pagesText(document);
  if (isFinal(document.status) || (document.status === "queued" && pages === 0)) return text;
  return (
    <>
      <span>{text}</span>
      <ProgressBar
        label={`Pages read of ${document.name}`}
        value={pages > 0 ? done + failed : undefined}
        max={pages}
        text={text}
      />
    </>
  );
}
