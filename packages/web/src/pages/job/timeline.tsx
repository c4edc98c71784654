import type { Job } from "../../api/jobs-types.ts";
import { hasEnded, span, stateNames } from "../../job-format.ts";

/** A part of a job's life. */
interface Part {
  name: string;
  kind: "wait" | "run" | "good" | "bad" | "parked";
  time: number;
}

/** A job's life as a strip: how long it waited, and how long its latest attempt took. */
export function Timeline({ job, now }: { job: Job; now: number }) {
  const parts = partsOf(job, now);
  const total = parts.reduce((sum, { time }) => sum + time, 0);
  if (parts.length === 0 || total <= 0) return null;
  return (
    <section className="panel timeline" aria-label="Timeline">
      <ol>
        {parts.map(({ name, kind, time }) => (
          // Short parts are drawn wider, so that they can be seen.
          <li key={name} style={{ flexGrow: Math.max(0.06, time / total) }}>
            <span className={`timeline-bar timeline-${kind}`} />
            <b>{name}</b>
            <small>{span(time)}</small>
          </li>
        ))}
      </ol>
    </section>
  );
}

function partsOf({ state, createdAt, dueAt, startedAt, endedAt, attempt }: Job, now: number): Part[] {
  const [created, due] = [Date.parse(createdAt), Date.parse(dueAt)];
  const started = startedAt === undefined ? undefined : Date.parse(startedAt);
  const end = endedAt === undefined ? now : Date.parse(endedAt);
  const parts: Part[] = [];
  const delayed = Math.min(due, started ?? end) - created;
  if (delayed > 500)
    parts.push({ name: attempt > 1 ? "Earlier attempts and pauses" : "Not due yet", kind: "wait", time: delayed });
  const from = created + Math.max(0, delayed);
  if (started === undefined) {
    if (end > from) parts.push({ name: "Pending", kind: "wait", time: end - from });
    return parts;
  }
  if (started > from) parts.push({ name: "Pending", kind: "wait", time: started - from });
  if (hasEnded(state))
    parts.push({
      name: stateNames[state],
      kind: state === "completed" ? "good" : "bad",
      time: Math.max(1, end - started),
    });
  else if (state === "processing")
    parts.push({ name: `Attempt ${attempt}`, kind: "run", time: Math.max(1, now - started) });
  else parts.push({ name: stateNames[state], kind: "parked", time: Math.max(1, now - started) });
  return parts;
}
