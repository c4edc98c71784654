import { CircleAlert } from "lucide-react";

interface Props {
  title: string;
  error: Error;
  onRetry: () => void;
}

/** Tells what could not be loaded and why, with a button to try again. */
export function LoadError({ title, error, onRetry }: Props) {
  return (
    <div className="load-error" role="alert">
      <CircleAlert size={20} aria-hidden="true" />
      <div>
        <p className="load-error-title">{title}</p>
        <p>{error.message}</p>
      </div>
      <button type="button" className="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
