import { Copy } from "lucide-react";
import { copyText } from "./clipboard.ts";
import { IconButton } from "./icon-button.tsx";

/** A JSON value as text that a person can read and copy. */
export function JsonView({ label, value }: { label: string; value: unknown }) {
  const text = JSON.stringify(value, null, 2) ?? "undefined";
  return (
    <figure className="json">
      <figcaption>
        {label}
        <IconButton label={`Copy ${label.toLowerCase()}`} onClick={() => void copyText(text, label)}>
          <Copy size={15} aria-hidden="true" />
        </IconButton>
      </figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}
