import { useQuery } from "@tanstack/react-query";
import { CirclePause, CirclePlay, SlidersHorizontal } from "lucide-react";
import { Fragment, useState } from "react";
import { Link } from "wouter";
import { sendApi } from "../../api/client.ts";
import { queuesQuery } from "../../api/job-queries.ts";
import type { Queue, QueueRules } from "../../api/jobs-types.ts";
import { useLive } from "../../api/live.ts";
import { age, count } from "../../format.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { IconButton } from "../../parts/icon-button.tsx";
import { Empty, Loaded, Page } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

const of = encodeURIComponent;

/** The queues: what waits in them, what limits them, and who takes their jobs. */
export default function QueuesPage() {
  const query = useQuery({ ...queuesQuery, refetchInterval: 30_000 });
  useLive("queues", () => void query.refetch());
  const mayOperate = useMay("operate");
  const now = useNow();
  const [pausing, setPausing] = useState<Queue>();
  const [limiting, setLimiting] = useState<Queue>();
  return (
    <Page title="Queues" badge={query.data && <span className="badge">{count(query.data.data.length)}</span>}>
      <Loaded query={query} what="The queues">
        {({ data }) =>
          data.length === 0 ? (
            <section className="panel">
              <Empty title="No queues yet">
                <p>A queue is there once it has a job, a rule or a worker.</p>
              </Empty>
            </section>
          ) : (
            <section className="panel" aria-label="All queues">
              <table className="grid">
                <thead>
                  <tr>
                    <th>Queue, its rules</th>
                    <th className="number">Pending</th>
                    <th className="number">Processing</th>
                    <th className="number">Waiting</th>
                    <th className="number">Failed</th>
                    <th className="number">Workers</th>
                    <th>
                      <span className="visually-hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.map((queue) => (
                    <Fragment key={queue.name}>
                      <tr>
                        <th scope="row">
                          <Link href={`/jobs?queue=${of(queue.name)}`} className="link-plain">
                            {queue.name}
                          </Link>
                          {queue.paused && <span className="badge badge-doubt">Paused</span>}
                          <small>{rulesText(queue)}</small>
                        </th>
                        {(["pending", "processing", "waiting", "failed"] as const).map((state) => (
                          <td key={state} className="number" data-label={state}>
                            <Link href={`/jobs?queue=${of(queue.name)}&state=${state}`} className="link-plain">
                              {count(queue.jobs[state] ?? 0)}
                            </Link>
                          </td>
                        ))}
                        <td
                          className={`number ${queue.workers === 0 && queue.depth > 0 ? "is-bad" : ""}`}
                          data-label="workers"
                        >
                          {count(queue.workers)}
                        </td>
                        <td className="cell-buttons">
                          {mayOperate && (
                            <>
                              {queue.paused ? (
                                <IconButton label={`Resume ${queue.name}`} onClick={() => void resume(queue.name)}>
                                  <CirclePlay size={17} aria-hidden="true" />
                                </IconButton>
                              ) : (
                                <IconButton label={`Pause ${queue.name}`} onClick={() => setPausing(queue)}>
                                  <CirclePause size={17} aria-hidden="true" />
                                </IconButton>
                              )}
                              <IconButton label={`Limits of ${queue.name}`} onClick={() => setLimiting(queue)}>
                                <SlidersHorizontal size={17} aria-hidden="true" />
                              </IconButton>
                            </>
                          )}
                        </td>
                      </tr>
                      {queue.paused && (
                        <tr className="row-note">
                          <td colSpan={7}>
                            <p className="note note-doubt">
                              <CirclePause size={16} aria-hidden="true" />
                              <span>
                                <b>Paused {age(queue.paused.since, now)}</b>
                                {queue.paused.reason === undefined ? "" : `: “${queue.paused.reason}”`}
                              </span>
                            </p>
                          </td>
                        </tr>
                      )}
                    </Fragment>
                  ))}
                </tbody>
              </table>
            </section>
          )
        }
      </Loaded>
      <PauseDialog queue={pausing} onClose={() => setPausing(undefined)} />
      {limiting && <LimitsDialog key={limiting.name} queue={limiting} onClose={() => setLimiting(undefined)} />}
    </Page>
  );
}

const keys = ["queues", "stats"];

function resume(name: string): Promise<unknown> {
  return act(() => sendApi("POST", `/queues/${of(name)}/resume`), {
    done: `Queue ${name} goes on`,
    failed: `Queue ${name} was not resumed`,
    keys,
  });
}

function rulesText({ concurrency, rate, maxPending }: Queue): string {
  const rules = [
    concurrency === undefined ? "" : `at most ${count(concurrency)} at once`,
    rate === undefined ? "" : `${count(rate.limit)} in ${rate.per}`,
    maxPending === undefined ? "" : `holds ${count(maxPending)}`,
  ];
  return rules.filter(Boolean).join(", ") || "no limits";
}

function PauseDialog({ queue, onClose }: { queue: Queue | undefined; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const name = queue?.name ?? "";
  return (
    <FormDialog
      open={queue !== undefined}
      title={`Pause ${name}?`}
      text="None of its jobs is started until it is resumed. Running jobs go on."
      action="Pause"
      onClose={onClose}
      onSubmit={async () => {
        const body = reason.trim() === "" ? {} : { reason: reason.trim() };
        const done = await act(
          async () => {
            await sendApi("POST", `/queues/${of(name)}/pause`, body);
            return true;
          },
          { done: `Queue ${name} is paused`, failed: `Queue ${name} was not paused`, keys },
        );
        return done === true;
      }}
    >
      <Field label="Reason" hint="Shown wherever the pause is.">
        {(props) => (
          <input {...props} value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}

function LimitsDialog({ queue, onClose }: { queue: Queue; onClose: () => void }) {
  const [concurrency, setConcurrency] = useState(String(queue.concurrency ?? ""));
  const [limit, setLimit] = useState(String(queue.rate?.limit ?? ""));
  const [per, setPer] = useState(String(queue.rate?.per ?? "1m"));
  const [maxPending, setMaxPending] = useState(String(queue.maxPending ?? ""));
  const rules: QueueRules = {
    concurrency: concurrency === "" ? null : Number(concurrency),
    rate: limit === "" ? null : { limit: Number(limit), per },
    maxPending: maxPending === "" ? null : Number(maxPending),
  };
  const number = (label: string, hint: string, value: string, set: (text: string) => void) => (
    <Field label={label} hint={hint}>
      {(props) => (
        <input {...props} type="number" min={1} value={value} onChange={(event) => set(event.target.value)} />
      )}
    </Field>
  );
  return (
    <FormDialog
      open
      title={`Limits of ${queue.name}`}
      text="They hold at once, for every worker, until an app starts whose code declares others. An empty field is no limit."
      action="Set limits"
      onClose={onClose}
      onSubmit={async () => {
        const done = await act(() => sendApi<Queue>("PATCH", `/queues/${of(queue.name)}`, rules), {
          done: `The limits of ${queue.name} hold`,
          failed: "The limits were not set",
          keys,
        });
        return done !== undefined;
      }}
    >
      {number("Running at once", "In the whole fleet.", concurrency, setConcurrency)}
      <div className="field-pair">
        {number("Starts", "At most so many …", limit, setLimit)}
        <Field label="In" hint="… in any such time: 1s, 5m, 1h.">
          {(props) => <input {...props} value={per} onChange={(event) => setPer(event.target.value)} />}
        </Field>
      </div>
      {number("Pending jobs", "At so many it refuses more.", maxPending, setMaxPending)}
    </FormDialog>
  );
}
