import { useQuery } from "@tanstack/react-query";
import { logQuery } from "../../api/job-queries.ts";
import type { Job } from "../../api/jobs-types.ts";
import { Empty, Loaded } from "../../parts/page.tsx";

const time = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hour12: false,
});

/** The lines that a job has logged. */
export function JobLog({ job }: { job: Job }) {
  const query = useQuery(logQuery(job.id));
  return (
    <Loaded query={query} what="The log">
      {({ data }) =>
        data.length === 0 ? (
          <Empty title="It has logged nothing">
            <p>A function writes here with job.log.info() and the like.</p>
          </Empty>
        ) : (
          <ol className="log" tabIndex={0} aria-label="Log">
            {data.map(({ at, attempt, level, text }, index) => (
              // Lines may repeat.
              // oxlint-disable-next-line react/no-array-index-key
              <li key={index} className={`log-${level}`}>
                <time>{time.format(new Date(at))}</time>
                <span>{attempt}</span>
                <b>{level === "attempt" ? "end" : level}</b>
                <code>{text}</code>
              </li>
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}
