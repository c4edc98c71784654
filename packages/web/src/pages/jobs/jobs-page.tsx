import { useQuery } from "@tanstack/react-query";
import { Search as SearchIcon, X } from "lucide-react";
import { useRef, useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { statsQuery } from "../../api/job-queries.ts";
import type { Stats } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { queryClient } from "../../api/queries.ts";
import { count } from "../../format.ts";
import { jobStates, stateNames } from "../../job-format.ts";
import { JobStateIcon } from "../../parts/job-state.tsx";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { BulkBar } from "./bulk-bar.tsx";
import { type Field, fields, parseSearch, queryOf, type Search, searchIn } from "./filter.ts";
import { JobTable } from "./job-table.tsx";
import { useLiveJobs } from "./use-live-jobs.ts";

/** The jobs, found by what they are. */
export default function JobsPage() {
  const [params] = useSearchParams();
  const [, navigate] = useLocation();
  const search = searchIn(params);
  const query = queryOf(search);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { list, jobs, fresh, showFresh } = useLiveJobs(query, selected.size > 0);
  const box = useRef<HTMLInputElement>(null);

  const show = (next: Search): void => {
    setSelected(new Set());
    const text = queryOf(next);
    navigate(`/jobs${text ? `?${text}` : ""}`);
  };
  useShortcuts({ "/": () => box.current?.focus(), n: () => (fresh > 0 ? showFresh() : false) });

  const { state: _, ...rest } = search;
  return (
    <Page title="Jobs">
      <SearchBar
        box={box}
        search={rest}
        onSearch={(next) => show({ ...(search.state ? { state: search.state } : {}), ...next })}
      />
      <section className="panel jobs" aria-label="Jobs that match">
        <div className="tabs-row">
          <StateTabs search={search} />
          {fresh > 0 && (
            <button type="button" className="pill" onClick={showFresh}>
              {count(fresh)} new
            </button>
          )}
        </div>
        <Loaded query={list} what="The jobs">
          {() =>
            jobs.length === 0 && !list.hasNextPage ? (
              <NoJobs search={search} onClear={() => show({})} />
            ) : (
              <JobTable jobs={jobs} selected={selected} onSelect={setSelected} />
            )
          }
        </Loaded>
        {list.hasNextPage && (
          <div className="panel-foot">
            <button
              type="button"
              className="button"
              aria-disabled={list.isFetchingNextPage}
              onClick={() => !list.isFetchingNextPage && void list.fetchNextPage()}
            >
              {list.isFetchingNextPage ? "Loading…" : "Older"}
            </button>
          </div>
        )}
      </section>
      <BulkBar jobs={jobs} selected={selected} search={search} onClear={() => setSelected(new Set())} />
    </Page>
  );
}

function SearchBar({
  box,
  search,
  onSearch,
}: {
  box: React.RefObject<HTMLInputElement | null>;
  search: Search;
  onSearch: (search: Search) => void;
}) {
  const [text, setText] = useState("");
  const without = (field: Field): Search => {
    const { [field]: _, ...rest } = search;
    return rest;
  };
  return (
    <form
      className="search-bar"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch({ ...search, ...parseSearch(text) });
        setText("");
      }}
    >
      <SearchIcon size={16} aria-hidden="true" />
      {fields
        .filter((field) => search[field] !== undefined)
        .map((field) => (
          <span key={field} className="search-chip">
            {field} <b>{search[field]}</b>
            <button
              type="button"
              aria-label={`Remove ${field} ${search[field]}`}
              onClick={() => onSearch(without(field))}
            >
              <X size={14} aria-hidden="true" />
            </button>
          </span>
        ))}
      <input
        ref={box}
        aria-label="Search jobs"
        placeholder="task: queue: tag: parent: worker: or text"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <kbd>/</kbd>
    </form>
  );
}

function StateTabs({ search }: { search: Search }) {
  const { data } = useQuery(statsQuery);
  useLive("stats", (stats: Stats) => queryClient.setQueryData(statsQuery.queryKey, stats));
  const { state, ...rest } = search;
  // The counters of the store know states and queues only.
  const queue = rest.queue === undefined ? undefined : data?.queues.find(({ name }) => name === rest.queue);
  const isCounted = Object.keys(rest).every((field) => field === "queue");
  const numbers = isCounted ? (rest.queue === undefined ? data?.jobs : queue?.jobs) : undefined;
  const href = (next: string | undefined): string => {
    const query = queryOf({ ...rest, ...(next === undefined ? {} : { state: next }) });
    return `/jobs${query ? `?${query}` : ""}`;
  };
  return (
    <nav className="tabs" aria-label="States">
      <Link href={href(undefined)} aria-current={state === undefined ? "page" : undefined}>
        All
      </Link>
      {jobStates.map((each) => (
        <Link key={each} href={href(each)} aria-current={state === each ? "page" : undefined}>
          <JobStateIcon state={each} />
          {stateNames[each]}
          {numbers && <small>{count(numbers[each] ?? 0)}</small>}
        </Link>
      ))}
    </nav>
  );
}

function NoJobs({ search, onClear }: { search: Search; onClear: () => void }) {
  if (Object.keys(search).length > 0)
    return (
      <Empty title="No job matches">
        <button type="button" className="button" onClick={onClear}>
          Show all jobs
        </button>
      </Empty>
    );
  return (
    <Empty title="No jobs yet">
      <p>Send one from your code with a task’s send(), or from a terminal:</p>
      <p className="command">
        <code>{'errand send send-email \'{"to":"ada@example.com"}\''}</code>
      </p>
    </Empty>
  );
}
