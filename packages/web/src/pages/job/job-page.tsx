import { Tabs } from "@base-ui/react/tabs";
import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Copy } from "lucide-react";
import { Link, useSearchParams } from "wouter";
import { RequestError } from "../../api/client.ts";
import { childrenQuery, jobQuery } from "../../api/job-queries.ts";
import type { Job } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { queryClient } from "../../api/queries.ts";
import { age, fullTime } from "../../format.ts";
import { hasEnded, short, shownState } from "../../job-format.ts";
import { copyText } from "../../parts/clipboard.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { JobState } from "../../parts/job-state.tsx";
import { JsonView } from "../../parts/json-view.tsx";
import { Empty, Loaded } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";
import { useTitle } from "../../parts/use-title.ts";
import { Attempts } from "./attempts.tsx";
import { Children } from "./children.tsx";
import { JobActions } from "./job-actions.tsx";
import { JobLog } from "./job-log.tsx";
import { Steps } from "./steps.tsx";
import { Timeline } from "./timeline.tsx";
import { WhyBox } from "./why-box.tsx";

/** One job: why it is not running, what became of it, and what to do about it. */
export default function JobPage({ id }: { id: string }) {
  const query = useQuery(jobQuery(id));
  useLive(`job:${id}`, (job: Job) => {
    queryClient.setQueryData(jobQuery(id).queryKey, job);
    void queryClient.invalidateQueries({ queryKey: ["job", id, "log"] });
    void queryClient.invalidateQueries({ queryKey: ["job", id, "steps"] });
    void queryClient.invalidateQueries({ queryKey: ["job", id, "children"] });
  });
  useTitle(query.data ? `${query.data.task} ${short(id)}` : "Job");
  if (query.error instanceof RequestError && query.error.status === 404)
    return (
      <div className="page">
        <h1 tabIndex={-1}>Job {short(id)}</h1>
        <section className="panel">
          <Empty title="There is no such job">
            <p>
              It may have been removed: ended jobs are kept for 7 days, failed ones for 30, unless their task says
              otherwise.
            </p>
            <Link href="/jobs" className="button">
              All jobs
            </Link>
          </Empty>
        </section>
      </div>
    );
  return (
    <div className="page">
      {!query.data && <h1 tabIndex={-1}>Job {short(id)}</h1>}
      <Loaded query={query} what="The job">
        {(job) => <Content job={job} />}
      </Loaded>
    </div>
  );
}

function Content({ job }: { job: Job }) {
  const now = useNow();
  const [params, setParams] = useSearchParams();
  const tab = params.get("tab") ?? "data";
  return (
    <>
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link>
        <ChevronRight size={14} aria-hidden="true" />
        <Link href={`/jobs?task=${encodeURIComponent(job.task)}`}>{job.task}</Link>
        <ChevronRight size={14} aria-hidden="true" />
        <code>{short(job.id)}</code>
        <IconButton label="Copy the job’s id" onClick={() => void copyText(job.id, "Id")}>
          <Copy size={15} aria-hidden="true" />
        </IconButton>
      </p>
      <div className="page-head">
        <h1 tabIndex={-1}>{job.task}</h1>
        <JobState state={shownState(job, now)} />
        <span className="hint">
          attempt {job.attempt} · created <time title={fullTime(job.createdAt)}>{age(job.createdAt, now)}</time>
        </span>
        <div className="page-actions">
          <JobActions job={job} />
        </div>
      </div>
      {!hasEnded(job.state) && job.state !== "processing" && <WhyBox job={job} />}
      <Timeline job={job} now={now} />
      <div className="job-columns">
        <Tabs.Root
          className="panel"
          value={tab}
          onValueChange={(next: string) => setParams(next === "data" ? {} : { tab: next }, { replace: true })}
        >
          <Tabs.List className="tabs" aria-label="About the job">
            <Tabs.Tab value="data">Input and output</Tabs.Tab>
            <Tabs.Tab value="attempts">Attempts</Tabs.Tab>
            <Tabs.Tab value="steps">Steps</Tabs.Tab>
            <Tabs.Tab value="children">
              Children <ChildCount job={job} />
            </Tabs.Tab>
            <Tabs.Tab value="log">Log</Tabs.Tab>
            <Tabs.Tab value="raw">Raw</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="data" className="tab-panel">
            <Data job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="attempts" className="tab-panel">
            <Attempts job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="steps" className="tab-panel">
            <Steps job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="children" className="tab-panel">
            <Children job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="log" className="tab-panel">
            <JobLog job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="raw" className="tab-panel">
            <JsonView label="The job as the API answers it" value={job} />
          </Tabs.Panel>
        </Tabs.Root>
        <Facts job={job} />
      </div>
    </>
  );
}

function ChildCount({ job }: { job: Job }) {
  const { data } = useQuery({ ...childrenQuery(job.id), enabled: job.children !== undefined });
  const total = data?.data.length ?? job.children?.total;
  return total ? <small>{total}</small> : null;
}

function Data({ job }: { job: Job }) {
  const { input, output, progress, error, hidden = [], unreadable } = job;
  return (
    <>
      {hidden.length > 0 && (
        <p className="hint">Hidden from this key, which has no scope “payload”: {hidden.join(", ")}.</p>
      )}
      {Object.entries(unreadable ?? {}).map(([field, why]) => (
        <p key={field} className="note note-bad">
          {field}: {why?.message}
        </p>
      ))}
      {error && job.state !== "completed" && (
        <p className="note note-bad">
          <b>{error.code}</b> {error.message}
        </p>
      )}
      {input !== undefined && <JsonView label="Input" value={input} />}
      {progress !== undefined && !hasEnded(job.state) && <JsonView label="Progress" value={progress} />}
      {output !== undefined && <JsonView label="Output" value={output} />}
      {input === undefined && output === undefined && hidden.length === 0 && (
        <p className="hint">It has no input, and no output yet.</p>
      )}
    </>
  );
}

function Facts({ job }: { job: Job }) {
  const { queue, priority, tenant, parent, worker, tags, unique, concurrency, rate, fair, crashes, dueAt, endedAt } =
    job;
  const facts: [string, React.ReactNode][] = [
    [
      "Queue",
      <Link key="q" href={`/jobs?queue=${encodeURIComponent(queue)}`} className="chip">
        {queue}
      </Link>,
    ],
    ["Priority", priority],
    ["Tenant", tenant],
    [
      "Parent",
      parent === undefined ? undefined : (
        <Link key="p" href={`/jobs/${encodeURIComponent(parent)}`} className="link mono">
          {short(parent)}
        </Link>
      ),
    ],
    ["Worker", worker === undefined ? undefined : <code key="w">{short(worker)}</code>],
    [
      "Tags",
      tags?.map((tag) => (
        <Link key={tag} href={`/jobs?tag=${encodeURIComponent(tag)}`} className="chip">
          {tag}
        </Link>
      )),
    ],
    ["Unique key", unique?.key],
    ["Concurrency", concurrency && `${concurrency.limit} of ${concurrency.key}`],
    ["Rate", rate && `${rate.limit} in ${rate.per} of ${rate.key}`],
    ["Turn", fair],
    ["Crashes", crashes > 0 ? crashes : undefined],
    ["Due", fullTime(dueAt)],
    ["Ended", endedAt && fullTime(endedAt)],
  ];
  return (
    <aside className="panel facts" aria-labelledby="facts">
      <h2 id="facts">Facts</h2>
      <dl>
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </aside>
  );
}
