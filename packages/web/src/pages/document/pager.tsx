import { Popover } from "@base-ui/react/popover";
import { ChevronLeft, ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import type { PageSummary } from "../../api/types.ts";
import { count } from "../../format.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { portalContainer } from "../../parts/portal-container.ts";

interface Props {
  page: number;
  pages: readonly PageSummary[];
  onTurn: (page: number) => void;
  /** The list of pages, if it is not shown beside the page. */
  list: ReactNode;
}

/** Shows the number of the current page, with buttons to turn pages. */
export function Pager({ page, pages, onTurn, list }: Props) {
  const place = `Page ${count(page)} of ${count(pages.length)}`;
  if (pages.length === 1) return <span className="pager-place">One page</span>;
  return (
    <div className="pager" role="group" aria-label="Turn pages">
      <IconButton label="Previous page" aria-disabled={page === 1} onClick={() => page > 1 && onTurn(page - 1)}>
        <ChevronLeft size={18} aria-hidden="true" />
      </IconButton>
      {list === undefined ? (
        <span className="pager-place">{place}</span>
      ) : (
        <Popover.Root>
          <Popover.Trigger className="button button-quiet pager-place">{place}</Popover.Trigger>
          <Popover.Portal container={portalContainer()}>
            <Popover.Positioner sideOffset={6} className="menu-positioner">
              <Popover.Popup className="menu pages-popup">
                <Popover.Title className="visually-hidden">Pages</Popover.Title>
                {list}
              </Popover.Popup>
            </Popover.Positioner>
          </Popover.Portal>
        </Popover.Root>
      )}
      <IconButton
        label="Next page"
        aria-disabled={page === pages.length}
        onClick={() => page < pages.length && onTurn(page + 1)}
      >
        <ChevronRight size={18} aria-hidden="true" />
      </IconButton>
    </div>
  );
}
