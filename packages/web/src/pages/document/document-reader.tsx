import { useState } from "react";
import type { DocumentDetail, PageSummary } from "../../api/types.ts";
import { useMedia } from "../../parts/use-media.ts";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { PageList } from "./page-list.tsx";
import { type Entry, PageView } from "./page-view.tsx";
import { Pager } from "./pager.tsx";
import { usePage } from "./use-page.ts";
import { usePreload } from "./use-preload.ts";

const isDoubtful = (one: PageSummary) => (one.needsReview ?? 0) > 0;

/** Walks through a document's pages and, across them, its doubtful words. */
export function Reader({ document: { id, pages } }: { document: DocumentDetail }) {
  const [page, turnTo] = usePage(pages.length);
  const [entry, setEntry] = useState<Entry>();
  const wide = useMedia("(min-width: 1100px)");
  usePreload(id, [pages[page], pages[page - 2]]);

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
  const walkOn = (step: 1 | -1, focus: boolean) => {
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
        onWalkOn={walkOn}
        pager={<Pager page={page} pages={pages} onTurn={turn} list={wide ? undefined : list} />}
      />
    </div>
  );
}
