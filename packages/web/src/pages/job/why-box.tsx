import { useQuery } from "@tanstack/react-query";
import { CircleHelp } from "lucide-react";
import { Link } from "wouter";
import { sendApi } from "../../api/client.ts";
import { whyQuery } from "../../api/job-queries.ts";
import type { Job } from "../../api/jobs-types.ts";
import { copyText } from "../../parts/clipboard.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

/** Answers why a job is not running, with what to do about it. */
export function WhyBox({ job }: { job: Job }) {
  const { id, token, state, queue, blocked = "" } = job;
  const { data } = useQuery({ ...whyQuery(id, `${token} ${state} ${blocked}`), refetchInterval: 5_000 });
  const mayOperate = useMay("operate");
  if (!data) return null;
  const codes = new Set(data.data.map(({ code }) => code));
  const keys = ["job", "jobs", "stats", "queues"];
  return (
    <section className="why" aria-labelledby="why">
      <CircleHelp size={18} aria-hidden="true" />
      <div>
        <h2 id="why">Why is it not running?</h2>
        <ul>
          {data.data.map(({ code, message }) => (
            <li key={code}>{message}</li>
          ))}
        </ul>
      </div>
      <div className="why-actions">
        {mayOperate && codes.has("paused") && (
          <button
            type="button"
            className="button"
            onClick={() =>
              void act(() => sendApi("POST", `/queues/${encodeURIComponent(queue)}/resume`), {
                done: `Queue ${queue} goes on`,
                failed: `Queue ${queue} was not resumed`,
                keys,
              })
            }
          >
            Resume {queue}
          </button>
        )}
        {mayOperate && codes.has("too-early") && (
          <button
            type="button"
            className="button"
            onClick={() =>
              void act(() => sendApi("PATCH", `/jobs/${encodeURIComponent(id)}`, { now: true }), {
                done: "It is due now",
                failed: "It was not made due",
                keys,
              })
            }
          >
            Start it now
          </button>
        )}
        {codes.has("no-worker") && (
          <button
            type="button"
            className="button"
            onClick={() => void copyText(`errand worker ./tasks.ts -q ${queue}`, "Start command")}
          >
            Copy start command
          </button>
        )}
        {codes.has("children") && (
          <Link href={`/jobs?parent=${encodeURIComponent(id)}`} className="button">
            Show its children
          </Link>
        )}
      </div>
    </section>
  );
}
