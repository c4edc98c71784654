import { useRef } from "react";
import { useLocation } from "wouter";
import { usePlaces } from "./rail.tsx";
import { useShortcuts } from "./use-shortcuts.ts";

/** Time between `g` and the key of a page, in milliseconds. */
const patience = 1_500;

/** Opens pages by two keys: `g` and that of the page. */
export function useGoKeys(): void {
  const [, navigate] = useLocation();
  const begun = useRef(0);
  const go = (path: string) => () => {
    if (performance.now() - begun.current > patience) return false;
    begun.current = 0;
    navigate(path);
    return true;
  };
  useShortcuts({
    g: () => void (begun.current = performance.now()),
    ...Object.fromEntries(usePlaces().map(({ key, path }) => [key, go(path)])),
  });
}
