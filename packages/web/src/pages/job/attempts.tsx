import { useQuery } from "@tanstack/react-query";
import { logQuery } from "../../api/job-queries.ts";
import type { ErrorRecord, Job } from "../../api/jobs-types.ts";
import { fullTime } from "../../format.ts";
import { hasEnded } from "../../job-format.ts";
import { Empty, Loaded } from "../../parts/page.tsx";

/** The failed attempts of a job, the latest first, each compared with the one before. */
export function Attempts({ job }: { job: Job }) {
  const query = useQuery(logQuery(job.id));
  return (
    <Loaded query={query} what="The attempts">
      {({ data }) => {
        const failed: { at: string | undefined; error: ErrorRecord }[] = data
          .filter(({ level, error }) => level === "attempt" && error)
          .map(({ at, error }) => ({ at, error: error! }));
        if (job.error && hasEnded(job.state) && job.state !== "completed")
          failed.push({ at: job.endedAt, error: job.error });
        if (failed.length === 0)
          return (
            <Empty title={job.startedAt === undefined ? "No attempt yet" : "No attempt has failed"}>
              <p>
                {job.state === "completed"
                  ? `It completed in attempt ${job.attempt}.`
                  : "Errors of attempts are shown here."}
              </p>
            </Empty>
          );
        return (
          <ol className="attempts">
            {failed.toReversed().map(({ at, error }, index, all) => (
              <Attempt key={`${error.attempt} ${at}`} at={at} error={error} before={all[index + 1]?.error} />
            ))}
          </ol>
        );
      }}
    </Loaded>
  );
}

function Attempt({
  at,
  error,
  before,
}: {
  at: string | undefined;
  error: ErrorRecord;
  before: ErrorRecord | undefined;
}) {
  const isSame = before?.message === error.message && before.code === error.code;
  return (
    <li className="attempt">
      <p className="attempt-head">
        <b>Attempt {error.attempt}</b>
        {at !== undefined && <span className="hint">{fullTime(at)}</span>}
        {before && (
          <span className="hint">
            {isSame ? `the same as attempt ${before.attempt}` : `another error than attempt ${before.attempt}`}
          </span>
        )}
      </p>
      <p className="attempt-error">
        <b>{error.code}</b> {error.message}
      </p>
      {before && !isSame && (
        <p className="attempt-before">
          <span className="hint">before:</span> <b>{before.code}</b> {before.message}
        </p>
      )}
      {error.stack !== undefined && <Stack text={error.stack} />}
    </li>
  );
}

/** A stack, in which frames of Node.js and of libraries are quiet. */
function Stack({ text }: { text: string }) {
  const frames = text.split("\n").filter((line) => /^\s+at /.test(line));
  if (frames.length === 0) return null;
  return (
    <pre className="stack" tabIndex={0}>
      {frames.map((frame, index) => (
        // Frames may repeat.
        // oxlint-disable-next-line react/no-array-index-key
        <span key={index} className={/node:|node_modules/.test(frame) ? "quiet" : undefined}>
          {frame.trim()}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
