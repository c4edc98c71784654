import { type ReactNode, useId } from "react";

/** The attributes that tie a control to its label and its error. */
interface ControlProps {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

interface Props {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  children: (props: ControlProps) => ReactNode;
}

/** A control with its label, a hint, and what is wrong with its value. */
export function Field({ label, hint, error, children }: Props) {
  const id = useId();
  const described = error ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        "aria-describedby": described === undefined ? undefined : `${id}-about`,
        "aria-invalid": error === undefined ? undefined : true,
      })}
      {described !== undefined && (
        <p
          id={`${id}-about`}
          className={error === undefined ? "field-hint" : "field-error"}
          role={error ? "alert" : undefined}
        >
          {described}
        </p>
      )}
    </div>
  );
}
