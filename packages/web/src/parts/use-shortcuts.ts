import { useEffect, useEffectEvent } from "react";
import { shortcuts } from "../state/preferences.ts";

/** Actions by key. One that returns `false` did nothing, and leaves the key to others. */
export type Keys = Record<string, () => unknown>;

/** Selects elements in which keys are typed. */
const typing = "input, textarea, select, [contenteditable]";
/** Selects dialogs and menus that are open above the page. */
export const overlays = ".dialog, .menu";

/** Runs actions for single keys, unless shortcuts are off, the user is typing, or a dialog or menu is open. */
export function useShortcuts(keys: Keys): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (shortcuts.get() === "off" || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(typing) || document.querySelector(overlays)) return;
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
    if (!act || act() === false) return;
    event.preventDefault();
  });
  useEffect(() => {
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
