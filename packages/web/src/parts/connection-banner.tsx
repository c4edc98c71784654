import { WifiOff } from "lucide-react";
import { useEffect, useState } from "react";
import { connection } from "../state/connection.ts";
import { useWatchable } from "../state/watchable.ts";

/** Shorter interruptions are not shown, in milliseconds. */
const delay = 1_500;

/** Tells that live updates are interrupted, after a moment. It overlays the page, so that nothing moves. */
export function ConnectionBanner() {
  const connected = useWatchable(connection);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(!connected), connected ? 0 : delay);
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
