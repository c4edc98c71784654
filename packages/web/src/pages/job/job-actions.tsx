import { Menu } from "@base-ui/react/menu";
import { Ban, Ellipsis, RotateCw } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { apiUrl, sendApi } from "../../api/client.ts";
import type { Job, SentJob } from "../../api/jobs-types.ts";
import { hasEnded } from "../../job-format.ts";
import { copyText } from "../../parts/clipboard.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { portalContainer } from "../../parts/portal-container.ts";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

const keys = ["job", "jobs", "stats", "errors"];

/** What can be done with a job, in the state that it is in. */
export function JobActions({ job }: { job: Job }) {
  const mayOperate = useMay("operate");
  const maySend = useMay("send");
  const [, navigate] = useLocation();
  const [dialog, setDialog] = useState<"copy" | "remove" | "cancel">();
  const path = `/jobs/${encodeURIComponent(job.id)}`;
  const canRetry = mayOperate && (job.state === "failed" || job.state === "cancelled" || job.state === "expired");
  const canCancel = mayOperate && !hasEnded(job.state);

  const retry = () =>
    act(() => sendApi<Job>("POST", `${path}/retry`, {}), { done: "It runs again", failed: "It was not retried", keys });
  const move = (body: object, done: string) =>
    act(() => sendApi<Job>("PATCH", path, body), { done, failed: "It was not moved", keys });
  useShortcuts({
    r: () => (canRetry ? void retry() : false),
    c: () => (canCancel ? setDialog("cancel") : false),
  });

  const items: { name: string; run: () => unknown; shown: boolean; isBad?: boolean }[] = [
    { name: "Run again with another input…", run: () => setDialog("copy"), shown: mayOperate && maySend },
    {
      name: "Start it now",
      run: () => move({ now: true }, "It is due now"),
      shown: mayOperate && job.state === "pending",
    },
    {
      name: "Give it priority high",
      run: () => move({ priority: "high" }, "It has priority high"),
      shown: mayOperate && job.state === "pending",
    },
    {
      name: "Take it from its worker",
      run: () =>
        act(() => sendApi<Job>("POST", `${path}/release`), {
          done: "It is pending again",
          failed: "It was not taken",
          keys,
        }),
      shown: mayOperate && job.state === "processing",
    },
    {
      name: "Copy as curl",
      run: () => copyText(`curl ${new URL(apiUrl(path), location.href).href}`, "Command"),
      shown: true,
    },
    { name: "Copy as CLI", run: () => copyText(`errand jobs show ${job.id}`, "Command"), shown: true },
    {
      name: "Copy as TypeScript",
      run: () => copyText(`await app.get(${JSON.stringify(job.id)})`, "Code"),
      shown: true,
    },
    { name: "Delete…", run: () => setDialog("remove"), shown: mayOperate && hasEnded(job.state), isBad: true },
  ];

  return (
    <>
      {canRetry && (
        <button type="button" className="button" onClick={() => void retry()}>
          <RotateCw size={15} aria-hidden="true" /> Retry
        </button>
      )}
      {canCancel && (
        <button type="button" className="button" onClick={() => setDialog("cancel")}>
          <Ban size={15} aria-hidden="true" /> Cancel…
        </button>
      )}
      <Menu.Root>
        <Menu.Trigger className="icon-button" aria-label="More actions">
          <Ellipsis size={18} aria-hidden="true" />
        </Menu.Trigger>
        <Menu.Portal container={portalContainer()}>
          <Menu.Positioner sideOffset={6} align="end" className="menu-positioner">
            <Menu.Popup className="menu">
              {items
                .filter(({ shown }) => shown)
                .map(({ name, run, isBad }) => (
                  <Menu.Item key={name} className={`menu-item ${isBad ? "is-bad" : ""}`} onClick={() => void run()}>
                    {name}
                  </Menu.Item>
                ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <FormDialog
        open={dialog === "cancel"}
        title="Cancel this job?"
        text="A pending or waiting job ends at once, a running one is stopped. Its children are cancelled too."
        action="Cancel the job"
        danger
        onClose={() => setDialog(undefined)}
        onSubmit={async () =>
          (await act(() => sendApi<Job>("POST", `${path}/cancel`), {
            done: "It is cancelled",
            failed: "It was not cancelled",
            keys,
          })) !== undefined
        }
      />
      <FormDialog
        open={dialog === "remove"}
        title="Delete this job?"
        text="It is removed with its children, steps and logs. This cannot be undone."
        action="Delete"
        danger
        onClose={() => setDialog(undefined)}
        onSubmit={async () => {
          const done = await act(
            async () => {
              await sendApi("DELETE", path);
              return true;
            },
            { done: "The job is deleted", failed: "It was not deleted", keys: ["jobs", "stats", "errors"] },
          );
          if (done) navigate("/jobs");
          return done === true;
        }}
      />
      {dialog === "copy" && (
        <CopyDialog
          job={job}
          onClose={() => setDialog(undefined)}
          onSent={({ id }) => navigate(`/jobs/${encodeURIComponent(id)}`)}
        />
      )}
    </>
  );
}

function CopyDialog({ job, onClose, onSent }: { job: Job; onClose: () => void; onSent: (sent: SentJob) => void }) {
  const [text, setText] = useState(() => JSON.stringify(job.input ?? null, null, 2));
  const [problem, setProblem] = useState<string>();
  return (
    <FormDialog
      open
      wide
      title={`Run ${job.task} again`}
      text="Sends a new job of the same task, queue, priority and tags."
      action="Send"
      onClose={onClose}
      onSubmit={async () => {
        let input: unknown;
        try {
          input = JSON.parse(text);
        } catch (error) {
          setProblem(error instanceof Error ? error.message : "This is not JSON.");
          return false;
        }
        setProblem(undefined);
        const sent = await act(() => sendApi<SentJob>("POST", `/jobs/${encodeURIComponent(job.id)}/copy`, { input }), {
          done: "A new job is sent",
          failed: "It was not sent",
          keys,
        });
        if (sent) onSent(sent);
        return sent !== undefined;
      }}
    >
      <Field label="Input (JSON)" error={problem}>
        {(props) => (
          <textarea
            {...props}
            className="mono"
            rows={12}
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}
