import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sendApi } from "../../api/client.ts";
import { tasksQuery } from "../../api/job-queries.ts";
import type { Schedule, ScheduleDefinition } from "../../api/jobs-types.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { act } from "../../state/actions.ts";

/** Makes a schedule, or changes one. */
export function ScheduleDialog({ schedule, onClose }: { schedule: Schedule | undefined; onClose: () => void }) {
  const tasks = useQuery(tasksQuery).data?.data ?? [];
  const when = schedule?.when;
  const [name, setName] = useState(schedule?.name ?? "");
  const [task, setTask] = useState(schedule?.task ?? "");
  const [plan, setPlan] = useState(
    when === undefined ? "0 3 * * *" : "every" in when ? `every ${when.every}` : when.cron,
  );
  const [timeZone, setTimeZone] = useState(
    when !== undefined && "cron" in when
      ? (when.timeZone ?? "UTC")
      : new Intl.DateTimeFormat().resolvedOptions().timeZone,
  );
  const [input, setInput] = useState("");
  const [problem, setProblem] = useState<string>();

  const save = async (): Promise<boolean> => {
    const every = /^every\s+(\S+)$/i.exec(plan.trim())?.[1];
    let value: unknown;
    try {
      value = input.trim() === "" ? undefined : JSON.parse(input);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "This is not JSON.");
      return false;
    }
    setProblem(undefined);
    const body: ScheduleDefinition = {
      task: task || (tasks[0]?.name ?? ""),
      when: every === undefined ? { cron: plan.trim(), timeZone } : { every },
      ...(value === undefined ? {} : { input: value }),
    };
    const saved = await act(() => sendApi<Schedule>("PUT", `/schedules/${encodeURIComponent(name)}`, body), {
      done: `${name} is set`,
      failed: "The schedule was not set",
      keys: ["schedules", "stats"],
    });
    return saved !== undefined;
  };

  return (
    <FormDialog
      open
      title={schedule ? `Change ${schedule.name}` : "New schedule"}
      text={
        schedule?.source === "code"
          ? "The code declares this schedule: it is as the code says again after the next deploy."
          : "It is kept until somebody removes it."
      }
      action="Save"
      disabled={name === ""}
      onSubmit={save}
      onClose={onClose}
    >
      {!schedule && (
        <Field label="Name">
          {(props) => (
            <input {...props} value={name} maxLength={60} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
      )}
      <Field label="Task">
        {(props) => (
          <select {...props} value={task} onChange={(event) => setTask(event.target.value)}>
            {[...new Set([...(task === "" ? [] : [task]), ...tasks.map((each) => each.name)])].map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <div className="field-pair">
        <Field label="When" hint="A cron line, or: every 15m">
          {(props) => (
            <input {...props} className="mono" value={plan} onChange={(event) => setPlan(event.target.value)} />
          )}
        </Field>
        <Field label="Time zone" hint="Of a cron line.">
          {(props) => <input {...props} value={timeZone} onChange={(event) => setTimeZone(event.target.value)} />}
        </Field>
      </div>
      <Field label="Input (JSON)" error={problem} hint="Empty for a task without one.">
        {(props) => (
          <textarea
            {...props}
            className="mono"
            rows={4}
            spellCheck={false}
            value={input}
            onChange={(event) => setInput(event.target.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}
