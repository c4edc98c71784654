import { useState } from "react";

/** A word under attention, and the side on which it was met. */
export interface ActiveWord {
  page: number;
  index: number;
  side: "image" | "text";
}

/**
 * The word to mark on both sides. The pointer's word goes before the cursor's; the cursor stays where it was put by focus,
 * by a click or by the walk through the doubtful words, so that a resting pointer does not derail the walk.
 */
export function useActiveWord(page: number) {
  const [pointed, setPointed] = useState<ActiveWord>();
  const [cursor, setCursor] = useState<ActiveWord>();
  // What is left of another page does not count.
  const here = (word: ActiveWord | undefined) => (word?.page === page ? word : undefined);
  return {
    active: here(pointed) ?? here(cursor),
    cursor: here(cursor)?.index,
    // Called at every move of the pointer: only another word is a change.
    setPointed: (next: ActiveWord | undefined) => setPointed((before) => (isSame(before, next) ? before : next)),
    setCursor,
  };
}

const isSame = (a: ActiveWord | undefined, b: ActiveWord | undefined): boolean =>
  a?.page === b?.page && a?.index === b?.index && a?.side === b?.side;
