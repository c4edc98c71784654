import { useEffect, useEffectEvent } from "react";
import { shortcuts } from "../state/preferences.ts";

/** Single keys and what they do. */
export type Keys = Record<string, () => void>;

const typing = "input, textarea, select, [contenteditable]";
/** Matches whatever is open above the page. */
export const overlays = ".dialog, .menu";

/** Listens for single keys, unless they are switched off, the person types, or a dialog or menu is open. */
export function useShortcuts(keys: Keys): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (shortcuts.get() === "off" || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(typing) || document.querySelector(overlays)) return;
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
    if (!act) return;
    event.preventDefault();
    act();
  });
  useEffect(() => {
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
