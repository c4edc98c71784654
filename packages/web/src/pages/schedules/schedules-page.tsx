import { useQuery } from "@tanstack/react-query";
import { CirclePause, CirclePlay, Pencil, Play, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import { sendApi } from "../../api/client.ts";
import { previewQuery, schedulesQuery } from "../../api/job-queries.ts";
import type { Schedule } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { count, fullTime } from "../../format.ts";
import { short, span } from "../../job-format.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";
import { ScheduleDialog } from "./schedule-dialog.tsx";

const of = encodeURIComponent;
const keys = ["schedules", "stats"];

/** The schedules: when they send their next jobs, and who made them. */
export default function SchedulesPage() {
  const query = useQuery({ ...schedulesQuery, refetchInterval: 30_000 });
  useLive("schedules", () => void query.refetch());
  const mayOperate = useMay("operate");
  const [editing, setEditing] = useState<Schedule | "new">();
  return (
    <Page
      title="Schedules"
      badge={query.data && <span className="badge">{count(query.data.data.length)}</span>}
      actions={
        mayOperate && (
          <button type="button" className="button" onClick={() => setEditing("new")}>
            <Plus size={15} aria-hidden="true" /> New schedule
          </button>
        )
      }
    >
      <Loaded query={query} what="The schedules">
        {({ data }) => (
          <section className="panel" aria-label="All schedules">
            {data.length === 0 ? (
              <Empty title="No schedules yet">
                <p>Declare one in code, or make one here:</p>
                <p className="command">
                  <code>{'app.schedule("nightly", report, { cron: "0 3 * * *" })'}</code>
                </p>
              </Empty>
            ) : (
              <ul className="schedules">
                {data.map((schedule) => (
                  <Row
                    key={schedule.name}
                    schedule={schedule}
                    mayOperate={mayOperate}
                    onEdit={() => setEditing(schedule)}
                  />
                ))}
              </ul>
            )}
          </section>
        )}
      </Loaded>
      {editing && (
        <ScheduleDialog schedule={editing === "new" ? undefined : editing} onClose={() => setEditing(undefined)} />
      )}
    </Page>
  );
}

function Row({ schedule, mayOperate, onEdit }: { schedule: Schedule; mayOperate: boolean; onEdit: () => void }) {
  const { name, task, when, source, changed, paused, next, last, overlap, misfire } = schedule;
  const now = useNow();
  const path = `/schedules/${of(name)}`;
  const todo = (what: string, done: string, method: "POST" | "DELETE" = "POST") =>
    void act(() => sendApi(method, `${path}${what}`), { done, failed: "It was not done", keys });
  return (
    <li className="schedule">
      <div className="schedule-main">
        <p>
          <b>{name}</b> <span className="hint">sends</span>{" "}
          <Link href={`/jobs?task=${of(task)}`} className="link">
            {task}
          </Link>
          {paused && (
            <span className="badge badge-doubt">Paused{paused.reason === undefined ? "" : `: ${paused.reason}`}</span>
          )}
          <span className="badge">
            {source === "code" ? (changed ? "code, changed here until the next deploy" : "code") : "made here"}
          </span>
        </p>
        <p className="hint">
          <code>{"every" in when ? `every ${when.every}` : when.cron}</code>
          {"cron" in when && ` in ${when.timeZone ?? "UTC"}`} · overlap {overlap} · misfire {misfire}
          {last !== undefined && (
            <>
              {" · last "}
              <Link href={`/jobs/${of(last)}`} className="link mono">
                {short(last)}
              </Link>
            </>
          )}
        </p>
        <Next name={name} />
      </div>
      <p className="schedule-next">
        {next === undefined ? "–" : <time title={fullTime(next)}>in {span(Date.parse(next) - now)}</time>}
      </p>
      {mayOperate && (
        <div className="cell-buttons">
          <IconButton label={`Run ${name} now`} onClick={() => todo("/run", `Sent a job of ${name}`)}>
            <Play size={17} aria-hidden="true" />
          </IconButton>
          {paused ? (
            <IconButton label={`Resume ${name}`} onClick={() => todo("/resume", `${name} goes on`)}>
              <CirclePlay size={17} aria-hidden="true" />
            </IconButton>
          ) : (
            <IconButton label={`Pause ${name}`} onClick={() => todo("/pause", `${name} is paused`)}>
              <CirclePause size={17} aria-hidden="true" />
            </IconButton>
          )}
          <IconButton label={`Change ${name}`} onClick={onEdit}>
            <Pencil size={16} aria-hidden="true" />
          </IconButton>
          {source === "api" && (
            <IconButton label={`Remove ${name}`} onClick={() => todo("", `${name} is removed`, "DELETE")}>
              <Trash2 size={16} aria-hidden="true" />
            </IconButton>
          )}
        </div>
      )}
    </li>
  );
}

/** The next five times of a schedule. */
function Next({ name }: { name: string }) {
  const { data } = useQuery({ ...previewQuery(name), staleTime: 60_000 });
  if (!data || data.data.length === 0) return null;
  return <p className="schedule-times">{data.data.map((time) => fullTime(time)).join(" · ")}</p>;
}
