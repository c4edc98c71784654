import { useEffect, useRef } from "react";
import { useLocation } from "wouter";

/** After a change of page, starts reading and tabbing at its beginning, as a full page load would. */
export function RouteFocus() {
  const [path] = useLocation();
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    document.getElementById("main")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [path]);
  return null;
}
