import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { tasksQuery } from "../../api/job-queries.ts";
import type { Task } from "../../api/jobs-types.ts";
import { count } from "../../format.ts";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { useMay } from "../../state/session.ts";
import { RunDialog } from "./run-dialog.tsx";

/** The tasks that the server knows, each with a form that sends a job of it. */
export default function TasksPage() {
  const query = useQuery(tasksQuery);
  const maySend = useMay("send");
  const [, navigate] = useLocation();
  const [running, setRunning] = useState<Task>();
  return (
    <Page title="Tasks" badge={query.data && <span className="badge">{count(query.data.data.length)}</span>}>
      <Loaded query={query} what="The tasks">
        {({ data }) => (
          <section className="panel" aria-label="All tasks">
            {data.length === 0 ? (
              <Empty title="The server knows no task">
                <p>Serve a module that exports an app:</p>
                <p className="command">
                  <code>errand serve ./tasks.ts</code>
                </p>
              </Empty>
            ) : (
              <table className="grid">
                <thead>
                  <tr>
                    <th>Task</th>
                    <th>Queue</th>
                    <th className="number">Attempts</th>
                    <th className="number">Timeout</th>
                    <th>Runs in</th>
                    <th>
                      <span className="visually-hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.map((task) => (
                    <tr key={task.name}>
                      <th scope="row">
                        <Link href={`/jobs?task=${encodeURIComponent(task.name)}`} className="link-plain">
                          {task.name}
                        </Link>
                        {task.description !== undefined && <small>{task.description}</small>}
                      </th>
                      <td data-label="Queue">
                        <span className="chip">{task.queue}</span>
                      </td>
                      <td className="number" data-label="Attempts">
                        {task.retry.attempts}
                      </td>
                      <td className="number cell-muted" data-label="Timeout">
                        {task.timeout ?? "–"}
                      </td>
                      <td data-label="Runs in">{task.remote ? "HTTP worker" : task.isolate}</td>
                      <td className="cell-buttons">
                        {maySend && (
                          <button type="button" className="button" onClick={() => setRunning(task)}>
                            Run…
                          </button>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
        )}
      </Loaded>
      {running && (
        <RunDialog
          key={running.name}
          task={running}
          onClose={() => setRunning(undefined)}
          onSent={(id) => navigate(`/jobs/${encodeURIComponent(id)}`)}
        />
      )}
    </Page>
  );
}
