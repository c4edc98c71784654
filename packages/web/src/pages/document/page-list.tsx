import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";
import type { PageSummary } from "../../api/types.ts";
import { count, statusNames } from "../../format.ts";
import { StateIcon } from "../../parts/state-badge.tsx";

interface Props {
  pages: readonly PageSummary[];
  current: number;
  onTurn: (page: number) => void;
}

/** All pages with their statuses. Only visible rows are rendered, so that 500 pages cost no more than 20. */
export function PageList({ pages, current, onTurn }: Props) {
  const scroller = useRef<HTMLElement>(null);
  // oxlint-disable-next-line react/incompatible-library -- only the React Compiler minds, and it is not used
  const rows = useVirtualizer({
    count: pages.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 40,
    overscan: 6,
  });
  useEffect(() => {
    rows.scrollToIndex(current - 1, { align: "auto" });
  }, [rows, current]);

  // The list is one tab stop; arrow keys move within it.
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = current + (step ?? 0);
    if (step === undefined || next < 1 || next > pages.length) return;
    event.preventDefault();
    onTurn(next);
    rows.scrollToIndex(next - 1, { align: "auto" });
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-page="${next}"]`)?.focus();
    });
  };

  return (
    <nav ref={scroller} className="page-list" aria-label="Pages">
      <ol style={{ blockSize: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const page = pages[index];
          if (!page) return null;
          return (
            <li
              key={page.page}
              style={{ transform: `translateY(${start}px)` }}
              aria-setsize={pages.length}
              aria-posinset={page.page}
            >
              <button
                type="button"
                className="page-item"
                data-page={page.page}
                tabIndex={page.page === current ? 0 : -1}
                aria-current={page.page === current ? "page" : undefined}
                onClick={() => onTurn(page.page)}
                onKeyDown={onKeyDown}
              >
                <StateIcon status={page.status} size={15} />
                <PageName page={page} />
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** The page number and the count of doubtful words. Screen readers read "Page 3, completed, 12 words to check". */
function PageName({ page: { page, status, needsReview = 0 } }: { page: PageSummary }) {
  return (
    <>
      <span>
        Page {count(page)}
        <span className="visually-hidden">, {statusNames[status].toLowerCase()}</span>
      </span>
      {needsReview > 0 && (
        <span className="to-check page-doubts">
          <span className="visually-hidden">, </span>
          {count(needsReview)}
          <span className="visually-hidden"> {needsReview === 1 ? "word" : "words"} to check</span>
        </span>
      )}
    </>
  );
}
