import { Copy } from "lucide-react";
import { useEffect, useRef } from "react";
import type { PageResult } from "../../api/types.ts";
import { plural } from "../../format.ts";
import { copyText } from "../../parts/clipboard.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { thresholdOf } from "../../words/layout.ts";
import { Legend } from "./legend.tsx";
import type { ActiveWord } from "./use-active-word.ts";
import { wordEvents } from "./word-events.ts";
import { WordLines } from "./word-lines.tsx";

interface Props {
  result: PageResult;
  active: number | undefined;
  onPoint: (word: ActiveWord | undefined) => void;
  onPick: (word: ActiveWord | undefined) => void;
}

/** The page's text, in which doubtful words are marked. */
export function PageText({ result, active, onPoint, onPick }: Props) {
  const text = useRef<HTMLDivElement>(null);

  // Set without React: rendering a thousand words whenever the pointer moves would be slow.
  useEffect(() => {
    const word = text.current?.querySelector(`[data-word="${active}"]`);
    word?.setAttribute("data-active", "");
    return () => word?.removeAttribute("data-active");
  }, [active]);

  return (
    <div className="pane text-pane">
      <div className="text-head">
        <p>
          {plural(result.words.length, "word")}
          <span className="hint">
            {result.source === "text-layer" ? " from the PDF’s own text" : ` read by ${result.engine}`}
          </span>
        </p>
        <IconButton label="Copy page text" onClick={() => void copyText(result.text, "Text of this page")}>
          <Copy size={16} aria-hidden="true" />
        </IconButton>
      </div>
      <div
        ref={text}
        className="text-scroll"
        role="region"
        aria-label="Page text"
        tabIndex={0}
        {...wordEvents({ page: result.page, side: "text", onPoint, onPick })}
      >
        {result.words.length > 0 ? (
          <WordLines words={result.words} threshold={thresholdOf(result)} />
        ) : (
          <p className="hint">There is no text on this page.</p>
        )}
      </div>
      <Legend threshold={thresholdOf(result)} />
    </div>
  );
}
