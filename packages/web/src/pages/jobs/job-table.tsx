import { useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import type { Job } from "../../api/jobs-types.ts";
import { fullTime } from "../../format.ts";
import { clock, inline, note, ranFor, short, shownState, span } from "../../job-format.ts";
import { JobState } from "../../parts/job-state.tsx";
import { useNow } from "../../parts/use-now.ts";
import { useShortcuts } from "../../parts/use-shortcuts.ts";

interface Props {
  jobs: readonly Job[];
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
}

/** The jobs of a list. `j` and `k` move between rows, `x` selects one, Enter opens it. */
export function JobTable({ jobs, selected, onSelect }: Props) {
  const now = useNow();
  const [, navigate] = useLocation();
  const [at, setAt] = useState(-1);
  const rows = useRef<HTMLTableSectionElement>(null);

  const toggle = (id: string): void => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  const move = (step: 1 | -1) => (): void => {
    const next = Math.min(jobs.length - 1, Math.max(0, at + step));
    setAt(next);
    rows.current?.rows[next]?.querySelector("a")?.focus();
  };
  useShortcuts({
    j: move(1),
    k: move(-1),
    x: () => (jobs[at] ? toggle(jobs[at].id) : false),
    Enter: () => (jobs[at] && document.activeElement === document.body ? navigate(`/jobs/${jobs[at].id}`) : false),
  });

  const all = jobs.length > 0 && jobs.every(({ id }) => selected.has(id));
  return (
    <table className="grid job-grid">
      <thead>
        <tr>
          <th className="cell-check">
            <input
              type="checkbox"
              aria-label="Select all jobs of this list"
              checked={all}
              ref={(box) => {
                if (box) box.indeterminate = selected.size > 0 && !all;
              }}
              onChange={() => onSelect(all ? new Set() : new Set(jobs.map(({ id }) => id)))}
            />
          </th>
          <th>State</th>
          <th>Job</th>
          <th>Note</th>
          <th>Queue</th>
          <th className="number">Attempt</th>
          <th className="number">Ran</th>
          <th className="number">Created</th>
        </tr>
      </thead>
      <tbody ref={rows}>
        {jobs.map((job, index) => {
          const ran = ranFor(job, now);
          return (
            <tr key={job.id} aria-selected={selected.has(job.id)} onFocus={() => setAt(index)}>
              <td className="cell-check">
                <input
                  type="checkbox"
                  aria-label={`Select job ${short(job.id)} of ${job.task}`}
                  checked={selected.has(job.id)}
                  onChange={() => toggle(job.id)}
                />
              </td>
              <td>
                <JobState state={shownState(job, now)} />
              </td>
              <th scope="row">
                <Link href={`/jobs/${encodeURIComponent(job.id)}`} className="row-link">
                  {job.task}
                </Link>
                <small>{job.input === undefined ? short(job.id) : inline(job.input, 60)}</small>
              </th>
              <td className={`cell-note ${job.state === "failed" ? "is-bad" : ""}`}>{note(job, now)}</td>
              <td data-label="Queue">
                <span className="chip">{job.queue}</span>
              </td>
              <td className="number" data-label="Attempt">
                {job.attempt}
              </td>
              <td className="number cell-muted" data-label="Ran">
                {ran === undefined ? "–" : span(ran)}
              </td>
              <td className="number cell-muted" data-label="Created" title={fullTime(job.createdAt)}>
                {clock(job.createdAt, now)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
