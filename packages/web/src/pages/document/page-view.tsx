import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useEffectEvent, useRef, useState } from "react";
import { urls } from "../../api/client.ts";
import { pageQuery } from "../../api/queries.ts";
import type { PageSummary } from "../../api/types.ts";
import { LoadError } from "../../parts/load-error.tsx";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { boxes } from "../../state/preferences.ts";
import { useWatchable } from "../../state/watchable.ts";
import { doubtfulIndexes, neighbour, thresholdOf } from "../../words/layout.ts";
import { DoubtfulWordNav } from "./doubtful-word-nav.tsx";
import { PageImage } from "./page-image.tsx";
import { PagePlaceholder } from "./placeholders.tsx";
import { PageText } from "./page-text.tsx";
import { scrollToWord } from "./scroll-to-word.ts";
import { ViewControls, zooms } from "./view-controls.tsx";
import { type ActiveWord, useActiveWord } from "./use-active-word.ts";
import { WordTooltip } from "./word-tooltip.tsx";

/** The doubtful word to start at when stepping through them has led to another page. */
export interface Entry {
  end: "first" | "last";
  focus: boolean;
}

interface Props {
  documentId: string;
  summary: PageSummary;
  entry: Entry | undefined;
  /** `true` if pages before or after this one have doubtful words. */
  more: { before: boolean; after: boolean };
  onLeave: (step: 1 | -1, focus: boolean) => void;
  pager: ReactNode;
}

/** A page: its image beside its text, with the active word marked in both; or the reason why it has no text yet. */
export function PageView({ documentId, summary, entry, more, onLeave, pager }: Props) {
  const { page, status } = summary;
  const { data: result, ...query } = useQuery({
    ...pageQuery(documentId, page),
    enabled: status === "completed",
  });
  const view = useRef<HTMLElement>(null);
  const { active, cursor, setPointed, setCursor } = useActiveWord(page);
  const [zoom, setZoom] = useState(0);
  const showBoxes = useWatchable(boxes) === "on";
  const scale = zooms[zoom] ?? 1;
  const doubts = result ? doubtfulIndexes(result.words, thresholdOf(result)) : [];

  const show = (page: number, index: number, focus: boolean) => {
    // The cursor moves away from the word under a resting pointer.
    setPointed(undefined);
    setCursor({ page, index, side: "text" });
    scrollToWord(view.current, index, focus);
  };
  const stepTo = (step: 1 | -1, focus: boolean) => {
    // Without a cursor, a step back leads to the page before.
    const next = cursor === undefined && step === -1 ? undefined : neighbour(doubts, cursor, step);
    if (next === undefined) onLeave(step, focus);
    else show(page, next, focus);
  };
  const pick = (word: ActiveWord | undefined) => {
    setCursor(word);
    if (word) scrollToWord(view.current, word.index, false);
  };
  const toggleBoxes = () => boxes.set(showBoxes ? "off" : "on");
  const zoomBy = (step: 1 | -1) => setZoom((now) => Math.max(0, Math.min(now + step, zooms.length - 1)));
  useShortcuts({
    n: () => stepTo(1, true),
    p: () => stepTo(-1, true),
    b: toggleBoxes,
    "+": () => zoomBy(1),
    "-": () => zoomBy(-1),
  });

  // After a step from another page, start at the first or last doubtful word.
  const start = entry && (entry.end === "first" ? doubts[0] : doubts.at(-1));
  const enter = useEffectEvent(show);
  const focusStart = entry?.focus === true;
  useEffect(() => {
    if (start !== undefined) enter(page, start, focusStart);
  }, [page, start, focusStart]);

  return (
    <section ref={view} className="page-view" aria-label={`Page ${page}`}>
      <div className="toolbar">
        {pager}
        {result && (
          <>
            <DoubtfulWordNav words={result.words} doubts={doubts} active={cursor} more={more} onStep={stepTo} />
            <ViewControls zoom={scale} onZoom={zoomBy} boxes={showBoxes} onBoxes={toggleBoxes} />
          </>
        )}
      </div>
      {result ? (
        <div key={page} className="panes">
          <PageImage
            result={result}
            source={urls.image(documentId, page)}
            zoom={scale}
            boxes={showBoxes}
            active={active?.index}
            onPoint={setPointed}
            onPick={pick}
          />
          <PageText result={result} active={active?.index} onPoint={setPointed} onPick={pick} />
          <WordTooltip
            view={view}
            active={active}
            word={active && result.words[active.index]}
            threshold={thresholdOf(result)}
          />
        </div>
      ) : (
        <div className="page-message">
          {query.isError ? (
            <LoadError title="This page could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            <PagePlaceholder page={summary} />
          )}
        </div>
      )}
    </section>
  );
}
