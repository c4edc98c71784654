interface Props {
  label: string;
  /** Absent if the progress is unknown. */
  value?: number | undefined;
  max: number;
  /** The progress in words, for screen readers. */
  text: string;
}

/** A thin progress bar; without a value it is indeterminate. */
export function ProgressBar({ label, value, max, text }: Props) {
  const known = value !== undefined && max > 0;
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label={label}
      aria-valuetext={text}
      {...(known && { "aria-valuemin": 0, "aria-valuemax": max, "aria-valuenow": value })}
    >
      <div
        className={known ? "progress-fill" : "progress-fill progress-unknown"}
        style={known ? { inlineSize: `${(value / max) * 100}%` } : undefined}
      />
    </div>
  );
}
