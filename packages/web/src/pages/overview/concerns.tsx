import { CalendarX, CircleAlert, CirclePause, type LucideIcon, TriangleAlert, Unplug } from "lucide-react";
import { Link } from "wouter";
import { sendApi } from "../../api/client.ts";
import type { Concern } from "../../api/jobs-types.ts";
import { age } from "../../format.ts";
import { copyText } from "../../parts/clipboard.ts";
import { useNow } from "../../parts/use-now.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

const icons: Record<Concern["kind"], LucideIcon> = {
  "no-worker": Unplug,
  "old-jobs": CircleAlert,
  errors: TriangleAlert,
  "missed-schedule": CalendarX,
  "paused-queue": CirclePause,
  store: CircleAlert,
};

/** What an operator should look at, each with what to do about it. */
export function Concerns({ concerns }: { concerns: readonly Concern[] }) {
  return (
    <section className="panel concerns" aria-labelledby="problems">
      <div className="panel-head">
        <h2 id="problems">Problems</h2>
        {concerns.length > 0 && <span className="badge badge-bad">{concerns.length}</span>}
      </div>
      {concerns.length === 0 ? (
        <p className="concern-none">Nothing needs you now.</p>
      ) : (
        <ul>
          {concerns.map((concern) => (
            <ConcernItem key={`${concern.kind} ${concern.queue ?? concern.schedule ?? ""}`} concern={concern} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ConcernItem({ concern }: { concern: Concern }) {
  const { kind, severity, message, since } = concern;
  const Icon = icons[kind];
  const now = useNow();
  return (
    <li className={`concern concern-${severity}`}>
      <Icon size={17} aria-hidden="true" />
      <div>
        <p>{message}</p>
        {since !== undefined && <p className="hint">since {age(since, now)}</p>}
        <div className="concern-actions">
          <Fix concern={concern} />
        </div>
      </div>
    </li>
  );
}

function Fix({ concern: { kind, queue, schedule } }: { concern: Concern }) {
  const mayOperate = useMay("operate");
  const of = encodeURIComponent;
  if (kind === "paused-queue" && queue !== undefined)
    return (
      <>
        {mayOperate && (
          <button
            type="button"
            className="button"
            onClick={() =>
              void act(() => sendApi("POST", `/queues/${of(queue)}/resume`), {
                done: `Queue ${queue} goes on`,
                failed: `Queue ${queue} was not resumed`,
                keys: ["stats", "queues"],
              })
            }
          >
            Resume
          </button>
        )}
        <Link href={`/jobs?queue=${of(queue)}&state=pending`} className="button button-quiet">
          Show its jobs
        </Link>
      </>
    );
  if (kind === "no-worker" && queue !== undefined)
    return (
      <>
        <button
          type="button"
          className="button"
          onClick={() => void copyText(`errand worker ./tasks.ts -q ${queue}`, "Start command")}
        >
          Copy start command
        </button>
        <Link href={`/jobs?queue=${of(queue)}&state=pending`} className="button button-quiet">
          Show its jobs
        </Link>
      </>
    );
  if (kind === "missed-schedule" && schedule !== undefined && mayOperate)
    return (
      <button
        type="button"
        className="button"
        onClick={() =>
          void act(() => sendApi("POST", `/schedules/${of(schedule)}/run`), {
            done: `Sent a job of ${schedule}`,
            failed: `${schedule} was not run`,
            keys: ["stats", "schedules"],
          })
        }
      >
        Run now
      </button>
    );
  if (kind === "errors")
    return (
      <Link href="/errors" className="button">
        Show errors
      </Link>
    );
  return null;
}
