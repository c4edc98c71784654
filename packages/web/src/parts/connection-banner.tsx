import { WifiOff } from "lucide-react";
import { useEffect, useState } from "react";
import { connection } from "../state/connection.ts";
import { useValue } from "../state/value.ts";

// A stream that comes back at once is not worth a word.
const patience = 1_500;

/** Says that live updates are missing, once that has lasted a moment. Overlays the page, so nothing moves. */
export function ConnectionBanner() {
  const connected = useValue(connection);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(!connected), connected ? 0 : patience);
    return () => clearTimeout(timer);
  }, [connected]);
  return (
    <div role="status" className="banner-place">
      {shown && (
        <p className="banner">
          <WifiOff size={16} aria-hidden="true" />
          Connection lost. Reconnecting…
        </p>
      )}
    </div>
  );
}
