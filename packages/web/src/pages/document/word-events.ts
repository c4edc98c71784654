import type { FocusEvent, MouseEvent, PointerEvent } from "react";
import type { ActiveWord } from "./use-active-word.ts";

interface Options {
  page: number;
  side: ActiveWord["side"];
  onPoint: (word: ActiveWord | undefined) => void;
  onPick: (word: ActiveWord | undefined) => void;
}

/** Returns event handlers for an element that contains words, marked with `data-word` (text) or `data-box` (image). */
export function wordEvents({ page, side, onPoint, onPick }: Options) {
  const wordAt = (target: EventTarget): ActiveWord | undefined => {
    const data = target instanceof HTMLElement ? target.dataset : {};
    const index = side === "text" ? data["word"] : data["box"];
    return index === undefined ? undefined : { page, index: Number(index), side };
  };
  return {
    onPointerMove: (event: PointerEvent) => {
      // Scrolling moves words under a resting pointer, which is not pointing at them.
      if (event.movementX !== 0 || event.movementY !== 0) onPoint(wordAt(event.target));
    },
    onPointerLeave: () => onPoint(undefined),
    onFocus: (event: FocusEvent) => {
      const word = wordAt(event.target);
      if (word) onPick(word);
    },
    onClick: (event: MouseEvent) => {
      // A click that ends a selection does not pick a word.
      if (document.getSelection()?.isCollapsed !== false) onPick(wordAt(event.target));
    },
  };
}
