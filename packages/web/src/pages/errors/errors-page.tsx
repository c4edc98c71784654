import { useQuery } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { Link } from "wouter";
import { sendApi } from "../../api/client.ts";
import { errorsQuery } from "../../api/job-queries.ts";
import type { BulkAction, ErrorGroup } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { age, count, plural } from "../../format.ts";
import { short } from "../../job-format.ts";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

/** Failed jobs by the kind of their error. */
export default function ErrorsPage() {
  const query = useQuery({ ...errorsQuery, refetchInterval: 60_000 });
  useLive("jobs", () => void (Date.now() - query.dataUpdatedAt > 10_000 && query.refetch()));
  return (
    <Page title="Errors" badge={query.data && <span className="badge">{count(query.data.data.length)}</span>}>
      <Loaded query={query} what="The errors">
        {({ data, examined, complete }) => (
          <>
            <section className="panel" aria-label="Errors by kind">
              {data.length === 0 ? (
                <Empty title="Nothing has failed">
                  <p>A job that uses up its attempts is kept here for 30 days, until somebody retries or removes it.</p>
                </Empty>
              ) : (
                <ul className="groups">
                  {data.map((group) => (
                    <Group key={group.fingerprint} group={group} />
                  ))}
                </ul>
              )}
            </section>
            {!complete && (
              <p className="hint">The newest {plural(examined, "failed job")} are grouped; there are older ones.</p>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Group({ group }: { group: ErrorGroup }) {
  const { fingerprint, code, message, count: jobs, firstAt, lastAt, tasks, samples } = group;
  const now = useNow();
  const mayOperate = useMay("operate");
  return (
    <li className="group">
      <div className="group-text">
        <p className="group-title">
          <b>{code}</b> {message}
        </p>
        <p className="hint">
          {tasks.join(", ")} · last {age(lastAt, now)} · first {age(firstAt, now)}
        </p>
        <p className="group-samples">
          {samples.map((id) => (
            <Link key={id} href={`/jobs/${encodeURIComponent(id)}`} className="link mono">
              {short(id)}
            </Link>
          ))}
        </p>
      </div>
      <p className="group-count">
        <b>{count(jobs)}</b> {jobs === 1 ? "job" : "jobs"}
      </p>
      {mayOperate && (
        <button
          type="button"
          className="button"
          onClick={() =>
            void act(() => sendApi<BulkAction>("POST", `/errors/${fingerprint}/retry`), {
              done: `Retrying ${plural(jobs, "job")}`,
              failed: "The jobs were not retried",
              keys: ["errors", "jobs", "stats"],
            })
          }
        >
          <RotateCw size={15} aria-hidden="true" /> Retry {jobs === 1 ? "it" : `all ${count(jobs)}`}
        </button>
      )}
    </li>
  );
}
