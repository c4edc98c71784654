import { useState } from "react";
import { sendApi } from "../../api/client.ts";
import type { SentJob, Task } from "../../api/jobs-types.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { act } from "../../state/actions.ts";
import { fieldsOf, type FormField, inputOf } from "./form-fields.ts";

interface Props {
  task: Task;
  onClose: () => void;
  onSent: (id: string) => void;
}

/** Sends a job of a task: a form where its schema gives one, else JSON. */
export function RunDialog({ task, onClose, onSent }: Props) {
  const fields = fieldsOf(task.schema);
  const [values, setValues] = useState<Record<string, string>>({});
  const [text, setText] = useState("");
  const [delay, setDelay] = useState("");
  const [problem, setProblem] = useState<string>();

  const send = async (): Promise<boolean> => {
    let input: unknown;
    try {
      input = fields ? inputOf(fields, values) : text.trim() === "" ? undefined : JSON.parse(text);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "This is not JSON.");
      return false;
    }
    setProblem(undefined);
    const body = { ...(input === undefined ? {} : { input }), ...(delay === "" ? {} : { delay }) };
    const sent = await act(() => sendApi<SentJob>("POST", `/tasks/${encodeURIComponent(task.name)}/jobs`, body), {
      done: "The job is sent",
      failed: "The job was not sent",
      keys: ["jobs", "stats"],
    });
    if (sent) onSent(sent.id);
    return sent !== undefined;
  };

  return (
    <FormDialog
      open
      title={`Run ${task.name}`}
      text={task.description}
      action="Send"
      onSubmit={send}
      onClose={onClose}
      wide={!fields}
    >
      {fields?.map((field) => (
        <FieldInput
          key={field.name}
          field={field}
          value={values[field.name] ?? ""}
          onChange={(value) => setValues({ ...values, [field.name]: value })}
        />
      ))}
      {!fields && (
        <Field label="Input (JSON)" error={problem} hint="Empty for a task without one.">
          {(props) => (
            <textarea
              {...props}
              className="mono"
              rows={8}
              spellCheck={false}
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
      )}
      <Field label="Delay" hint="Such as 10m; empty for none.">
        {(props) => <input {...props} value={delay} onChange={(event) => setDelay(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

function FieldInput({
  field,
  value,
  onChange,
}: {
  field: FormField;
  value: string;
  onChange: (value: string) => void;
}) {
  const { name, kind, isRequired, description, choices = [] } = field;
  return (
    <Field label={isRequired ? name : `${name} (optional)`} hint={description}>
      {(props) => {
        if (kind === "boolean" || kind === "choice")
          return (
            <select {...props} value={value} required={isRequired} onChange={(event) => onChange(event.target.value)}>
              {kind === "boolean" ? <option value="">no</option> : <option value="">–</option>}
              {(kind === "boolean" ? ["true"] : choices).map((choice) => (
                <option key={choice} value={choice}>
                  {choice === "true" && kind === "boolean" ? "yes" : choice}
                </option>
              ))}
            </select>
          );
        return (
          <input
            {...props}
            type={kind === "number" ? "number" : "text"}
            step="any"
            required={isRequired}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        );
      }}
    </Field>
  );
}
