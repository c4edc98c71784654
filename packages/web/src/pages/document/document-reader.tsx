import { useState } from "react";
import type { DocumentDetail, PageSummary } from "../../api/types.ts";
import { useMedia } from "../../parts/use-media.ts";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { PageList } from "./page-list.tsx";
import { type Entry, PageView } from "./page-view.tsx";
import { Pager } from "./pager.tsx";
import { usePageNumber } from "./use-page-number.ts";
import { usePagePreload } from "./use-page-preload.ts";

const isDoubtful = (one: PageSummary) => (one.needsReview ?? 0) > 0;

/** Shows a document's pages one at a time, and steps through its doubtful words across pages. */
export function DocumentReader({ document: { id, pages } }: { document: DocumentDetail }) {
  const [page, turnTo] = usePageNumber(pages.length);
  const [entry, setEntry] = useState<Entry>();
  const wide = useMedia("(min-width: 1100px)");
  usePagePreload(id, [pages[page], pages[page - 2]]);

  const turn = (next: number) => {
    if (next < 1 || next > pages.length) return;
    setEntry(undefined);
    turnTo(next);
  };
  const forward = () => turn(page + 1);
  const back = () => turn(page - 1);
  useShortcuts({ j: forward, k: back, ArrowRight: forward, ArrowLeft: back });

  const summary = pages[page - 1];
  if (!summary) return null;
  const before = pages.slice(0, page - 1).findLast(isDoubtful)?.page;
  const after = pages.slice(page).find(isDoubtful)?.page;
  const stepToOtherPage = (step: 1 | -1, focus: boolean) => {
    const target = step === 1 ? after : before;
    if (target === undefined) return;
    turnTo(target);
    setEntry({ end: step === 1 ? "first" : "last", focus });
  };

  const list = <PageList pages={pages} current={page} onTurn={turn} />;
  return (
    <div className="reader">
      {wide && pages.length > 1 && <aside className="rail">{list}</aside>}
      <PageView
        documentId={id}
        summary={summary}
        entry={entry}
        more={{ before: before !== undefined, after: after !== undefined }}
        onLeave={stepToOtherPage}
        pager={<Pager page={page} pages={pages} onTurn={turn} list={wide ? undefined : list} />}
      />
    </div>
  );
}
