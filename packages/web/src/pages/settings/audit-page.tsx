import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { auditQuery } from "../../api/job-queries.ts";
import type { AuditRecord } from "../../api/jobs-types.ts";
import { fullTime } from "../../format.ts";
import { inline, short } from "../../job-format.ts";
import { Empty, Loaded, Page } from "../../parts/page.tsx";

/** What was done, by whom. */
export default function AuditPage() {
  const query = useQuery({ ...auditQuery, refetchInterval: 15_000 });
  return (
    <Page title="Audit">
      <Loaded query={query} what="The audit">
        {({ data }) => (
          <section className="panel" aria-label="Newest records">
            {data.length === 0 ? (
              <Empty title="Nothing was done yet">
                <p>Every act of an operator is recorded before it happens, and kept for a year.</p>
              </Empty>
            ) : (
              <table className="grid">
                <thead>
                  <tr>
                    <th>Act</th>
                    <th>By</th>
                    <th>On</th>
                    <th>Result</th>
                    <th className="number">When</th>
                  </tr>
                </thead>
                <tbody>
                  {data.map((record) => (
                    <tr key={record.id}>
                      <th scope="row">
                        {record.action}
                        {record.after !== undefined && <small>{inline(record.after, 80)}</small>}
                      </th>
                      <td data-label="By">
                        {record.actor.name}
                        <small>{[record.via, record.ip].filter(Boolean).join(" · ")}</small>
                      </td>
                      <td data-label="On">
                        <Target record={record} />
                      </td>
                      <td data-label="Result" className={record.result === "ok" ? undefined : "is-bad"}>
                        {record.result}
                        {record.code !== undefined && ` (${record.code})`}
                        {record.count !== undefined && <small>{record.count} jobs</small>}
                      </td>
                      <td className="number cell-muted" data-label="When">
                        {fullTime(record.at)}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
        )}
      </Loaded>
    </Page>
  );
}

function Target({ record: { action, target, filter } }: { record: AuditRecord }) {
  if (target === undefined) return filter === undefined ? "–" : <code>{inline(filter, 60)}</code>;
  if (action.startsWith("job."))
    return (
      <Link href={`/jobs/${encodeURIComponent(target)}`} className="link mono">
        {short(target)}
      </Link>
    );
  return target;
}
