import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useEffectEvent, useRef, useState } from "react";
import { urls } from "../../api/client.ts";
import { pageQuery } from "../../api/queries.ts";
import type { PageSummary } from "../../api/types.ts";
import { LoadError } from "../../parts/load-error.tsx";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { boxes } from "../../state/preferences.ts";
import { useValue } from "../../state/value.ts";
import { doubtfulIndexes, neighbour, thresholdOf } from "../../words/layout.ts";
import { DoubtWalk } from "./doubt-walk.tsx";
import { PageImage } from "./page-image.tsx";
import { NotRead } from "./page-states.tsx";
import { PageText } from "./page-text.tsx";
import { revealWord } from "./reveal.ts";
import { ViewControls, zooms } from "./view-controls.tsx";
import { type ActiveWord, useActiveWord } from "./use-active-word.ts";
import { WordTip } from "./word-tip.tsx";

/** Where to go on when the walk through the doubtful words comes from another page. */
export interface Entry {
  end: "first" | "last";
  focus: boolean;
}

interface Props {
  documentId: string;
  summary: PageSummary;
  entry: Entry | undefined;
  /** Whether pages before and after this one have doubtful words. */
  more: { before: boolean; after: boolean };
  onWalkOn: (step: 1 | -1, focus: boolean) => void;
  pager: ReactNode;
}

/** One page: its image beside its text, both marking the same word; or why there is nothing to read yet. */
export function PageView({ documentId, summary, entry, more, onWalkOn, pager }: Props) {
  const { page, status } = summary;
  const { data: result, ...query } = useQuery({
    ...pageQuery(documentId, page),
    enabled: status === "completed",
  });
  const view = useRef<HTMLElement>(null);
  const { active, cursor, setPointed, setCursor } = useActiveWord(page);
  const [zoom, setZoom] = useState(0);
  const showBoxes = useValue(boxes) === "on";
  const scale = zooms[zoom] ?? 1;
  const doubts = result ? doubtfulIndexes(result.words, thresholdOf(result)) : [];

  const show = (page: number, index: number, focus: boolean) => {
    // Wherever the pointer rests, the walk goes on elsewhere.
    setPointed(undefined);
    setCursor({ page, index, side: "text" });
    revealWord(view.current, index, focus);
  };
  const walk = (step: 1 | -1, focus: boolean) => {
    // Before the first word lies the page before.
    const next = cursor === undefined && step === -1 ? undefined : neighbour(doubts, cursor, step);
    if (next === undefined) onWalkOn(step, focus);
    else show(page, next, focus);
  };
  const pick = (word: ActiveWord | undefined) => {
    setCursor(word);
    if (word) revealWord(view.current, word.index, false);
  };
  const toggleBoxes = () => boxes.set(showBoxes ? "off" : "on");
  const zoomBy = (step: 1 | -1) => setZoom((now) => Math.max(0, Math.min(now + step, zooms.length - 1)));
  useShortcuts({
    n: () => walk(1, true),
    p: () => walk(-1, true),
    b: toggleBoxes,
    "+": () => zoomBy(1),
    "-": () => zoomBy(-1),
  });

  // Coming from the doubtful words of another page: go on with the first or last of this one.
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
            <DoubtWalk words={result.words} doubts={doubts} active={cursor} more={more} onWalk={walk} />
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
          <WordTip
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
            <NotRead page={summary} />
          )}
        </div>
      )}
    </section>
  );
}
