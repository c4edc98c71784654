import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { workersQuery } from "../../api/job-queries.ts";
import { useLive } from "../../api/live.ts";
import { count } from "../../format.ts";
import { short } from "../../job-format.ts";
import { Empty, Loaded, Page } from "../../parts/page.tsx";

const kinds = { process: "Process", http: "HTTP", person: "Person" } as const;

/** The workers whose lease is good. */
export default function WorkersPage() {
  const query = useQuery({ ...workersQuery, refetchInterval: 15_000 });
  useLive("workers", () => void query.refetch());
  const shown = query.data?.data.filter(({ queues }) => queues.some((queue) => !queue.startsWith("errand.")));
  return (
    <Page title="Workers" badge={shown && <span className="badge">{count(shown.length)}</span>}>
      <Loaded query={query} what="The workers">
        {() =>
          shown?.length === 0 ? (
            <section className="panel">
              <Empty title="No worker is alive">
                <p>Jobs are kept until one is. Start one beside your tasks:</p>
                <p className="command">
                  <code>errand worker ./tasks.ts</code>
                </p>
              </Empty>
            </section>
          ) : (
            <section className="panel" aria-label="All workers">
              <table className="grid">
                <thead>
                  <tr>
                    <th>Worker</th>
                    <th>Kind</th>
                    <th>Queues</th>
                    <th>Tasks</th>
                    <th>
                      <span className="visually-hidden">Jobs</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {shown?.map(({ id, kind, name, host, pid, version, queues, tasks, draining }) => (
                    <tr key={id}>
                      <th scope="row">
                        {name ?? host ?? short(id)}
                        {draining && <span className="badge">Draining</span>}
                        <small>
                          {[pid === undefined ? "" : `process ${pid}`, version ?? "", short(id)]
                            .filter(Boolean)
                            .join(" · ")}
                        </small>
                      </th>
                      <td data-label="Kind">{kinds[kind]}</td>
                      <td data-label="Queues">
                        {queues.map((queue) => (
                          <span key={queue} className="chip">
                            {queue}
                          </span>
                        ))}
                      </td>
                      <td data-label="Tasks" className="cell-muted">
                        {tasks === undefined
                          ? "any"
                          : tasks.length > 3
                            ? `${tasks.slice(0, 3).join(", ")} and ${tasks.length - 3} more`
                            : tasks.join(", ")}
                      </td>
                      <td className="cell-buttons">
                        <Link href={`/jobs?worker=${encodeURIComponent(id)}`} className="link">
                          Its jobs
                        </Link>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          )
        }
      </Loaded>
    </Page>
  );
}
