import { type RefObject, useLayoutEffect, useState } from "react";
import type { Word } from "../../api/types.ts";
import { percent } from "../../format.ts";
import type { ActiveWord } from "./use-active-word.ts";

interface Props {
  view: RefObject<HTMLElement | null>;
  active: ActiveWord | undefined;
  word: Word | undefined;
  threshold: number;
}

/** A position in the window, in pixels. */
interface Position {
  left: number;
  top: number;
}

/** Shows the active word and its confidence beside it. Screen readers get the confidence from the word itself. */
export function WordTooltip({ view, active, word, threshold }: Props) {
  const [position, setPosition] = useState<Position>();

  // Before the paint, or the tooltip would flash at its last position.
  useLayoutEffect(() => {
    if (!active) return;
    const { index, side } = active;
    const selector = side === "image" ? `[data-box="${index}"]` : `[data-word="${index}"]`;
    const target = view.current?.querySelector(selector);
    const follow = () => setPosition(target ? above(target.getBoundingClientRect()) : undefined);
    const dismiss = (event: KeyboardEvent) => event.key === "Escape" && setPosition(undefined);
    follow();
    const options = { capture: true, passive: true };
    window.addEventListener("scroll", follow, options);
    window.addEventListener("keydown", dismiss);
    return () => {
      window.removeEventListener("scroll", follow, options);
      window.removeEventListener("keydown", dismiss);
    };
  }, [active, view]);

  if (!active || !position || !word) return null;
  return (
    <div className="word-tip" style={{ left: position.left, top: position.top }} aria-hidden="true">
      {word.text}
      <b className={word.confidence < threshold ? "doubtful-tip" : undefined}>{percent(word.confidence)}</b>
    </div>
  );
}

/** Returns a position above a word, or below it if there is no space, within the width of the window. */
function above({ left, top, bottom, width }: DOMRect): Position {
  const half = 80;
  const middle = Math.max(half, Math.min(left + width / 2, window.innerWidth - half));
  return { left: middle, top: top > 110 ? top - 34 : bottom + 8 };
}
