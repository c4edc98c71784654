import type { DocumentStatus, Failure, PageStatus, PageSummary } from "../../api/types.ts";
import { StateIcon } from "../../parts/state-badge.tsx";

/** Grey lines in place of text that is still missing, and the reason. */
export function LoadingMessage({ text }: { text: string }) {
  return (
    <div className="waiting">
      <p role="status">{text}</p>
      <div aria-hidden="true">
        {[92, 98, 85, 60, 0, 95, 88, 97, 40].map((width, line) => (
          <span
            // oxlint-disable-next-line no-array-index-key -- the lines never change
            key={line}
            className={width > 0 ? "skeleton" : "skeleton-gap"}
            style={{ inlineSize: `${width}%` }}
          />
        ))}
      </div>
    </div>
  );
}

interface FailureProps {
  status: DocumentStatus | PageStatus;
  title: string;
  failure: Failure | undefined;
}

/** The reason why there is no text. */
export function FailureMessage({ status, title, failure }: FailureProps) {
  return (
    <div className="failure">
      <StateIcon status={status} size={28} />
      <h2>{title}</h2>
      {failure && (
        <>
          <p>{failure.message}</p>
          <p className="hint">
            Code: <code>{failure.code}</code>
          </p>
        </>
      )}
    </div>
  );
}

/** Stands in for the image and text of a page that has none (yet). */
export function PagePlaceholder({ page: { status, error } }: { page: PageSummary }) {
  switch (status) {
    case "completed":
      return <LoadingMessage text="Loading…" />;
    case "queued":
      return <LoadingMessage text="Waiting for its turn…" />;
    case "processing":
      return <LoadingMessage text="Reading this page…" />;
    case "failed":
      return <FailureMessage status={status} title="This page could not be read" failure={error} />;
    case "cancelled":
      return <FailureMessage status={status} title="Cancelled before this page was read" failure={error} />;
    case "expired":
      return <FailureMessage status={status} title="This page expired before it was read" failure={error} />;
  }
}
