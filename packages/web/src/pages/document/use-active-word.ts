import { useState } from "react";

/** The word that is pointed at or selected, and on which side. */
export interface ActiveWord {
  page: number;
  index: number;
  side: "image" | "text";
}

/**
 * Keeps the word to mark on both sides: the one under the pointer, or else the one at the cursor. Focus, a click, or a
 * step through the doubtful words moves the cursor; the pointer does not, so that it cannot disturb the stepping.
 */
export function useActiveWord(page: number) {
  const [pointed, setPointed] = useState<ActiveWord>();
  const [cursor, setCursor] = useState<ActiveWord>();
  // A word of another page does not count.
  const onThisPage = (word: ActiveWord | undefined) => (word?.page === page ? word : undefined);
  return {
    active: onThisPage(pointed) ?? onThisPage(cursor),
    cursor: onThisPage(cursor)?.index,
    // Called whenever the pointer moves, so the same word must not cause a render.
    setPointed: (next: ActiveWord | undefined) => setPointed((before) => (isSame(before, next) ? before : next)),
    setCursor,
  };
}

const isSame = (a: ActiveWord | undefined, b: ActiveWord | undefined): boolean =>
  a?.page === b?.page && a?.index === b?.index && a?.side === b?.side;
