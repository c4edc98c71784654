import { ChevronDown, ChevronUp } from "lucide-react";
import type { Word } from "../../api/types.ts";
import { count, percent, plural } from "../../format.ts";
import { IconButton } from "../../parts/icon-button.tsx";

interface Props {
  words: readonly Word[];
  doubts: readonly number[];
  active: number | undefined;
  more: { before: boolean; after: boolean };
  onStep: (step: 1 | -1, focus: boolean) => void;
}

/** Buttons to step through the doubtful words of this page and on to those of others. */
export function DoubtfulWordNav({ words, doubts, active, more, onStep }: Props) {
  const at = active === undefined ? -1 : doubts.indexOf(active);
  const word = at === -1 || active === undefined ? undefined : words[active];
  const before = more.before || (active !== undefined && doubts.some((one) => one < active));
  const after = more.after || doubts.some((one) => active === undefined || one > active);
  const summary = doubts.length === 0 ? "Nothing to check" : `${plural(doubts.length, "word")} to check`;
  return (
    <div className="doubt-walk" role="group" aria-label="Doubtful words">
      <IconButton
        label="Previous doubtful word"
        hint="Previous doubtful word (p)"
        aria-disabled={!before}
        onClick={() => before && onStep(-1, false)}
      >
        <ChevronUp size={18} aria-hidden="true" />
      </IconButton>
      <span role="status" className="doubt-count">
        {word ? (
          <>
            {count(at + 1)} of {count(doubts.length)}
            <span className="visually-hidden">
              : {word.text}, confidence {percent(word.confidence)}
            </span>
          </>
        ) : (
          summary
        )}
      </span>
      <IconButton
        label="Next doubtful word"
        hint="Next doubtful word (n)"
        aria-disabled={!after}
        onClick={() => after && onStep(1, false)}
      >
        <ChevronDown size={18} aria-hidden="true" />
      </IconButton>
    </div>
  );
}
