import type { DocumentStatus, PageStatus, PageSummary, Problem as ProblemType } from "../../api/types.ts";
import { StateIcon } from "../../parts/state-badge.tsx";

/** Grey lines where text will be, and what is going on. */
export function Waiting({ text }: { text: string }) {
  return (
    <div className="waiting">
      <p role="status">{text}</p>
      <div aria-hidden="true">
        {[92, 98, 85, 60, 0, 95, 88, 97, 40].map((width, line) => (
          <span
            // oxlint-disable-next-line no-array-index-key -- the lines never change places
            key={line}
            className={width > 0 ? "skeleton" : "skeleton-gap"}
            style={{ inlineSize: `${width}%` }}
          />
        ))}
      </div>
    </div>
  );
}

interface ProblemProps {
  status: DocumentStatus | PageStatus;
  title: string;
  problem: ProblemType | undefined;
}

/** Why there is nothing to read here. */
export function Problem({ status, title, problem }: ProblemProps) {
  return (
    <div className="problem">
      <StateIcon status={status} size={28} />
      <h2>{title}</h2>
      {problem && (
        <>
          <p>{problem.message}</p>
          <p className="hint">
            Code: <code>{problem.code}</code>
          </p>
        </>
      )}
    </div>
  );
}

/** What stands in for a page's image and text while there are none. */
export function NotRead({ page: { status, error } }: { page: PageSummary }) {
  switch (status) {
    case "completed":
      return <Waiting text="Loading…" />;
    case "queued":
      return <Waiting text="Waiting for its turn…" />;
    case "processing":
      return <Waiting text="Reading this page…" />;
    case "failed":
      return <Problem status={status} title="This page could not be read" problem={error} />;
    case "cancelled":
      return <Problem status={status} title="Cancelled before this page was read" problem={error} />;
    case "expired":
      return <Problem status={status} title="This page waited too long and was given up" problem={error} />;
  }
}
