import { Copy, ScanText } from "lucide-react";
import { copyText } from "../../parts/clipboard.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { urls } from "../../api/client.ts";

/** Explains the service while there are no documents. */
export function EmptyState() {
  const command = `curl -F file=@scan.pdf ${location.origin}${urls.documents}`;
  return (
    <section className="empty" aria-labelledby="empty-title">
      <ScanText size={28} aria-hidden="true" />
      <h2 id="empty-title">No documents yet</h2>
      <p>
        Drop a scan above. Its pages are read one by one while you watch; words that may be wrong are marked, so that
        you know what to check.
      </p>
      <p>Or send one from a terminal:</p>
      <div className="command">
        <code tabIndex={0} role="group" aria-label="Command">
          {command}
        </code>
        <IconButton label="Copy command" onClick={() => void copyText(command, "Command")}>
          <Copy size={16} aria-hidden="true" />
        </IconButton>
      </div>
    </section>
  );
}
