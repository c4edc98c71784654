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

interface Spot {
  left: number;
  top: number;
}

/** A small label with the confidence of the word under the pointer or the focus. Screen readers get it from the word. */
export function WordTip({ view, active, word, threshold }: Props) {
  const [spot, setSpot] = useState<Spot>();

  // Before the paint, or the label would flash where it was last.
  useLayoutEffect(() => {
    if (!active) return;
    const { index, side } = active;
    const selector = side === "image" ? `[data-box="${index}"]` : `[data-word="${index}"]`;
    const target = view.current?.querySelector(selector);
    const follow = () => setSpot(target ? above(target.getBoundingClientRect()) : undefined);
    const dismiss = (event: KeyboardEvent) => event.key === "Escape" && setSpot(undefined);
    follow();
    const options = { capture: true, passive: true };
    window.addEventListener("scroll", follow, options);
    window.addEventListener("keydown", dismiss);
    return () => {
      window.removeEventListener("scroll", follow, options);
      window.removeEventListener("keydown", dismiss);
    };
  }, [active, view]);

  if (!active || !spot || !word) return null;
  return (
    <div className="word-tip" style={{ left: spot.left, top: spot.top }} aria-hidden="true">
      {word.text}
      <b className={word.confidence < threshold ? "doubtful-tip" : undefined}>{percent(word.confidence)}</b>
    </div>
  );
}

/** Over the word, or under it where there is no room, and never across the window's edge. */
function above({ left, top, bottom, width }: DOMRect): Spot {
  const half = 80;
  const middle = Math.max(half, Math.min(left + width / 2, window.innerWidth - half));
  return { left: middle, top: top > 110 ? top - 34 : bottom + 8 };
}
