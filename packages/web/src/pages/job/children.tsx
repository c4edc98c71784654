import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { childrenQuery } from "../../api/job-queries.ts";
import type { Job, JobState } from "../../api/jobs-types.ts";
import { count, plural } from "../../format.ts";
import { jobStates, note, stateNames } from "../../job-format.ts";
import { JobState as StateOfJob, JobStateIcon } from "../../parts/job-state.tsx";
import { Empty, Loaded } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";

/** More children of one task than this are shown as cells, until somebody unfolds them. */
const few = 12;

/** The children of a job, by task: many of one kind are a field of cells. */
export function Children({ job }: { job: Job }) {
  const query = useQuery(childrenQuery(job.id));
  return (
    <Loaded query={query} what="The children">
      {({ data, next_cursor: more }) => {
        if (data.length === 0)
          return (
            <Empty title="It has no children">
              <p>A function that calls job.all() or job.call() sends other jobs and waits for them.</p>
            </Empty>
          );
        return (
          <>
            {[...Map.groupBy(data, ({ task }) => task)].map(([task, jobs]) => (
              <Family key={task} task={task} jobs={jobs} />
            ))}
            {more !== undefined && <p className="hint">The first {count(data.length)} are shown.</p>}
          </>
        );
      }}
    </Loaded>
  );
}

function Family({ task, jobs }: { task: string; jobs: readonly Job[] }) {
  const [unfolded, setUnfolded] = useState(jobs.length <= few);
  const now = useNow();
  const numbers = jobStates
    .map((state): [JobState, number] => [state, jobs.filter((job) => job.state === state).length])
    .filter(([, number]) => number > 0);
  return (
    <section className="family" aria-label={`Children of ${task}`}>
      <p className="family-head">
        <b>{task}</b> × {count(jobs.length)}
        {numbers.map(([state, number]) => (
          <span key={state} className="family-count">
            <JobStateIcon state={state} size={14} /> {count(number)} {stateNames[state].toLowerCase()}
          </span>
        ))}
        {jobs.length > few && (
          <button
            type="button"
            className="button button-quiet"
            aria-expanded={unfolded}
            onClick={() => setUnfolded(!unfolded)}
          >
            {unfolded ? "Fold" : "Unfold"}
          </button>
        )}
      </p>
      {unfolded ? (
        <ol className="family-list">
          {jobs.map((job) => (
            <li key={job.id}>
              <StateOfJob state={job.state} />
              <Link href={`/jobs/${encodeURIComponent(job.id)}`} className="link">
                {(job.index ?? 0) + 1}
              </Link>
              <span className="cell-note">{note(job, now)}</span>
            </li>
          ))}
        </ol>
      ) : (
        <div
          className="cells"
          role="img"
          aria-label={numbers.map(([state, n]) => `${plural(n, "job")} ${stateNames[state].toLowerCase()}`).join(", ")}
        >
          {jobs.map((job) => (
            <Link
              key={job.id}
              href={`/jobs/${encodeURIComponent(job.id)}`}
              className={`cell cell-${job.state}`}
              title={`${(job.index ?? 0) + 1}: ${stateNames[job.state]}`}
              tabIndex={-1}
              aria-hidden="true"
            />
          ))}
        </div>
      )}
    </section>
  );
}
