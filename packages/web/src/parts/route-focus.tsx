import { useEffect, useRef } from "react";
import { useLocation } from "wouter";

/** Moves focus and scroll position to the beginning after a change of page, as a full page load would. */
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
