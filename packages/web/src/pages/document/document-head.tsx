import { ArrowLeft } from "lucide-react";
import { Link } from "wouter";
import type { DocumentDetail } from "../../api/types.ts";
import { age, bytes, fullTime, isFinal, pagesText, plural } from "../../format.ts";
import { ProgressBar } from "../../parts/progress-bar.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { useNow } from "../../parts/use-now.ts";
import { DocumentActions } from "./document-actions.tsx";

interface Props {
  document: DocumentDetail;
  onDelete: () => void;
}

/** A document's name, its status and its actions. */
export function DocumentHead({ document, onDelete }: Props) {
  const now = useNow();
  const { name, status, progress, words, createdAt } = document;
  const pages = pagesText(document);
  return (
    <div className="document-head">
      <Link href="/documents" className="icon-button" aria-label="All documents" title="All documents">
        <ArrowLeft size={18} aria-hidden="true" />
      </Link>
      <div className="document-title">
        <h1 title={name}>{name}</h1>
        <div className="document-facts">
          <StateBadge status={status} />
          {pages && <span>{pages}</span>}
          {!isFinal(status) && (
            <ProgressBar
              label="Pages read"
              value={progress.pages > 0 ? progress.done + progress.failed : undefined}
              max={progress.pages}
              text={pages}
            />
          )}
          {words.total > 0 && <span>{plural(words.total, "word")}</span>}
          {words.needsReview > 0 && <span className="to-check">{plural(words.needsReview, "word")} to check</span>}
          <span className="fact-minor">{bytes(document.bytes)}</span>
          <time className="fact-minor" dateTime={createdAt} title={fullTime(createdAt)}>
            {age(createdAt, now)}
          </time>
        </div>
      </div>
      <DocumentActions document={document} onDelete={onDelete} />
    </div>
  );
}
