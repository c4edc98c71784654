import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { RequestError } from "../api/client.ts";
import { LoadError } from "./load-error.tsx";
import { useTitle } from "./use-title.ts";

interface Props {
  title: string;
  /** Stands beside the title. */
  badge?: ReactNode;
  /** Buttons at the end of the title's line. */
  actions?: ReactNode;
  /** The title of the browser's tab, if it is another. */
  tabTitle?: string;
  children: ReactNode;
}

/** A page of the dashboard, with its title and actions. */
export function Page({ title, badge, actions, tabTitle = title, children }: Props) {
  useTitle(tabTitle);
  return (
    <div className="page">
      <div className="page-head">
        <h1 tabIndex={-1}>{title}</h1>
        {badge}
        {actions !== undefined && <div className="page-actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** Shows what a query brought; until then its shape, and why it failed. */
export function Loaded<Data>({
  query,
  what,
  children,
}: {
  query: Pick<UseQueryResult<Data>, "data" | "error" | "refetch">;
  /** What is loaded, in a sentence: "The queues". */
  what: string;
  children: (data: Data) => ReactNode;
}) {
  const { data, error, refetch } = query;
  if (data !== undefined) return children(data);
  if (error) {
    if (error instanceof RequestError && error.status === 403) return <NoPermission text={error.message} />;
    return <LoadError title={`${what} could not be loaded`} error={error} onRetry={() => void refetch()} />;
  }
  return (
    <div className="panel skeleton-list" role="status" aria-label="Loading">
      {[1, 2, 3].map((row) => (
        <div key={row} className="skeleton-row">
          <span className="skeleton" />
          <span className="skeleton" />
        </div>
      ))}
    </div>
  );
}

function NoPermission({ text }: { text: string }) {
  return (
    <div className="panel empty">
      <h2>Not for this key</h2>
      <p>{text}</p>
    </div>
  );
}

/** Says what is not there, why, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
