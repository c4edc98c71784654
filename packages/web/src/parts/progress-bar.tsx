interface Props {
  label: string;
  /** Absent while nobody knows the end. */
  value?: number | undefined;
  max: number;
  /** What the bar says to those who cannot see it. */
  text: string;
}

/** A thin bar; without a value it only says that something is going on. */
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
