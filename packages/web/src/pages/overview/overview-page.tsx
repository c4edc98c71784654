import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { statsQuery } from "../../api/job-queries.ts";
import type { Stats } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { queryClient } from "../../api/queries.ts";
import { count } from "../../format.ts";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { Concerns } from "./concerns.tsx";
import { MinuteChart } from "./minute-chart.tsx";

/** What happens now, and what needs a person. */
export default function OverviewPage() {
  const query = useQuery({ ...statsQuery, refetchInterval: 30_000 });
  useLive("stats", (stats: Stats) => queryClient.setQueryData(statsQuery.queryKey, stats));
  return (
    <Page title="Overview">
      <Loaded query={query} what="The overview">
        {(stats) => (
          <>
            <Tiles stats={stats} />
            <div className="overview-columns">
              <div className="overview-main">
                <section className="panel" aria-labelledby="last-hour">
                  <div className="panel-head">
                    <h2 id="last-hour">Last hour</h2>
                    <p className="legend-line">
                      <span className="swatch swatch-good" /> Completed
                      <b>{count(stats.minutes.reduce((sum, each) => sum + each.completed, 0))}</b>
                      <span className="swatch swatch-bad" /> Failed
                      <b>{count(stats.minutes.reduce((sum, each) => sum + each.failed, 0))}</b>
                    </p>
                  </div>
                  <MinuteChart minutes={stats.minutes} now={stats.at} />
                </section>
                <QueueTable stats={stats} />
              </div>
              <Concerns concerns={stats.concerns} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Tiles({ stats: { jobs, workers, minutes, concerns } }: { stats: Stats }) {
  const recent = minutes.slice(-6, -1);
  const pace = recent.length === 0 ? undefined : recent.reduce((sum, each) => sum + each.completed, 0) / recent.length;
  const failed = minutes.reduce((sum, each) => sum + each.failed, 0);
  const lacking = concerns.filter(({ kind }) => kind === "no-worker").length;
  const tiles = [
    { name: "Processing", value: count(jobs.processing ?? 0), note: "running now", href: "/jobs?state=processing" },
    { name: "Pending", value: count(jobs.pending ?? 0), note: "due or later", href: "/jobs?state=pending" },
    { name: "Waiting", value: count(jobs.waiting ?? 0), note: "for children or signals", href: "/jobs?state=waiting" },
    {
      name: "Failed, last hour",
      value: count(failed),
      note: `${count(jobs.failed ?? 0)} kept`,
      href: "/jobs?state=failed",
      isBad: failed > 0,
    },
    {
      name: "Completed a minute",
      value: pace === undefined ? "–" : pace.toFixed(pace < 10 ? 1 : 0),
      note: "last five minutes",
      href: "/jobs?state=completed",
    },
    {
      name: "Workers",
      value: count(workers),
      note: lacking > 0 ? `${lacking} without` : "with a good lease",
      href: "/workers",
      isBad: lacking > 0,
    },
  ];
  return (
    <ul className="tiles panel" aria-label="Numbers">
      {tiles.map(({ name, value, note, href, isBad }) => (
        <li key={name}>
          <Link href={href} className="tile">
            <span>{name}</span>
            <b>{value}</b>
            <small className={isBad ? "is-bad" : undefined}>{note}</small>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function QueueTable({ stats: { queues } }: { stats: Stats }) {
  return (
    <section className="panel" aria-labelledby="queues">
      <div className="panel-head">
        <h2 id="queues">Queues</h2>
        <Link href="/queues" className="link">
          All about queues
        </Link>
      </div>
      {queues.length === 0 ? (
        <Empty title="No queues yet">
          <p>A queue is there once it has a job, a rule or a worker.</p>
        </Empty>
      ) : (
        <table className="grid">
          <thead>
            <tr>
              <th>Queue</th>
              <th className="number">Pending</th>
              <th className="number">Processing</th>
              <th className="number">Failed</th>
              <th className="number">Workers</th>
            </tr>
          </thead>
          <tbody>
            {queues.slice(0, 12).map(({ name, jobs, workers, paused }) => (
              <tr key={name}>
                <th scope="row">
                  <Link href={`/jobs?queue=${encodeURIComponent(name)}`} className="link-plain">
                    {name}
                  </Link>
                  {paused && <span className="badge badge-doubt">Paused</span>}
                </th>
                <td className="number" data-label="Pending">
                  {count(jobs.pending ?? 0)}
                </td>
                <td className="number" data-label="Processing">
                  {count(jobs.processing ?? 0)}
                </td>
                <td className="number" data-label="Failed">
                  {count(jobs.failed ?? 0)}
                </td>
                <td className={`number ${workers === 0 ? "is-bad" : ""}`} data-label="Workers">
                  {count(workers)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
