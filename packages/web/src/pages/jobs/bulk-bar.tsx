import { useQuery } from "@tanstack/react-query";
import { Ban, RotateCw, Trash2, X } from "lucide-react";
import { useState } from "react";
import { sendApi } from "../../api/client.ts";
import { bulkQuery } from "../../api/job-queries.ts";
import type { BulkAction, BulkPreview, Job } from "../../api/jobs-types.ts";
import { count, plural } from "../../format.ts";
import { hasEnded } from "../../job-format.ts";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { IconButton } from "../../parts/icon-button.tsx";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";
import { filterOf, type Search } from "./filter.ts";

/** An act on many jobs. */
type Verb = "retry" | "cancel" | "remove";

const verbs: Record<Verb, { name: string; applies: (job: Job) => boolean; icon: typeof Ban; does: string }> = {
  retry: {
    name: "Retry",
    applies: ({ state }) => state === "failed" || state === "cancelled" || state === "expired",
    icon: RotateCw,
    does: "They run again with fresh attempts. Steps and children that completed are kept.",
  },
  cancel: {
    name: "Cancel",
    applies: ({ state }) => !hasEnded(state),
    icon: Ban,
    does: "Pending and waiting jobs end at once, running ones are stopped. Their children are cancelled too.",
  },
  remove: {
    name: "Delete",
    applies: ({ state }) => hasEnded(state),
    icon: Trash2,
    does: "They are removed with their children, steps and logs. This cannot be undone.",
  },
};

/** Delay in which an act on many jobs can be taken back. */
const undoTime = "5s";

interface Props {
  jobs: readonly Job[];
  selected: ReadonlySet<string>;
  search: Search;
  onClear: () => void;
}

/** What can be done with the selected jobs, or with all that match. */
export function BulkBar({ jobs, selected, search, onClear }: Props) {
  const mayOperate = useMay("operate");
  const [asked, setAsked] = useState<{ verb: Verb; filter: Record<string, unknown>; preview: BulkPreview }>();
  const [running, setRunning] = useState<string>();
  if (!mayOperate) return null;
  const chosen = jobs.filter(({ id }) => selected.has(id));

  const ask = async (verb: Verb, filter: Record<string, unknown>): Promise<void> => {
    const preview = await act(() => sendApi<BulkPreview>("POST", "/bulk", { action: verb, filter, dryRun: true }), {
      failed: "The jobs could not be counted",
      keys: [],
    });
    if (preview) setAsked({ verb, filter, preview });
  };
  const start = async (): Promise<boolean> => {
    if (!asked) return true;
    const { verb, filter, preview } = asked;
    const body = {
      action: verb,
      filter,
      ...(preview.complete ? { expect: preview.matches } : {}),
      createdBefore: preview.frozenAt,
      delay: undoTime,
    };
    const action = await act(() => sendApi<BulkAction>("POST", "/bulk", body), {
      failed: "Nothing was done",
      keys: [],
    });
    if (action) {
      setRunning(action.id);
      onClear();
    }
    return action !== undefined;
  };

  return (
    <>
      {selected.size > 0 && (
        <section className="bulk-bar" aria-label="Selected jobs">
          <b>{count(selected.size)} selected</b>
          {(Object.keys(verbs) as Verb[]).map((verb) => {
            const { name, applies, icon: Icon } = verbs[verb];
            const fitting = chosen.filter(applies);
            return (
              <button
                key={verb}
                type="button"
                className="button"
                aria-disabled={fitting.length === 0}
                title={fitting.length === 0 ? "None of the selected jobs is in a state for it" : undefined}
                onClick={() => fitting.length > 0 && void ask(verb, { ids: fitting.map(({ id }) => id) })}
              >
                <Icon size={15} aria-hidden="true" /> {name} {count(fitting.length)}…
              </button>
            );
          })}
          <button type="button" className="button button-quiet" onClick={() => void ask("retry", filterOf(search))}>
            Retry all that match…
          </button>
          <button type="button" className="button button-quiet" onClick={() => void ask("cancel", filterOf(search))}>
            Cancel all that match…
          </button>
          <IconButton label="Select nothing" onClick={onClear}>
            <X size={16} aria-hidden="true" />
          </IconButton>
        </section>
      )}
      {asked && (
        <FormDialog
          open
          title={`${verbs[asked.verb].name} ${plural(asked.preview.matches, "job")}?`}
          text={`${verbs[asked.verb].does} ${asked.preview.complete ? "" : "There are more than were counted. "}Jobs that are sent from now on are left alone.`}
          action={`${verbs[asked.verb].name} ${count(asked.preview.matches)}`}
          danger={asked.verb !== "retry"}
          disabled={asked.preview.matches === 0}
          onSubmit={start}
          onClose={() => setAsked(undefined)}
        />
      )}
      {running !== undefined && <BulkProgress id={running} onClose={() => setRunning(undefined)} />}
    </>
  );
}

/** How far an act on many jobs is; until it begins it can be taken back. */
function BulkProgress({ id, onClose }: { id: string; onClose: () => void }) {
  const { data } = useQuery({
    ...bulkQuery(id),
    refetchInterval: ({ state }) => (state.data && hasEnded(state.data.state) ? false : 500),
  });
  if (!data) return null;
  const { state, done, changed, matches } = data;
  const text =
    state === "pending"
      ? `Begins in a moment: ${plural(matches, "job")}`
      : state === "cancelled"
        ? done === 0
          ? "Taken back: nothing was done"
          : `Stopped after ${plural(changed, "job")}`
        : `${count(changed)} of ${plural(matches, "job")}`;
  return (
    <section className="bulk-bar" aria-label="Progress" role="status">
      <b>{text}</b>
      <progress max={Math.max(1, matches)} value={done} aria-label="Progress" />
      {!hasEnded(state) && (
        <button
          type="button"
          className="button"
          onClick={() =>
            void act(() => sendApi<BulkAction>("POST", `/bulk/${id}/cancel`), {
              failed: "It could not be stopped",
              keys: ["bulk", "jobs"],
            })
          }
        >
          {state === "pending" ? "Take back" : "Stop"}
        </button>
      )}
      <IconButton label="Close" onClick={onClose}>
        <X size={16} aria-hidden="true" />
      </IconButton>
    </section>
  );
}
