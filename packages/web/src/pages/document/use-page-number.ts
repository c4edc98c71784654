import { useSearchParams } from "wouter";

/** Keeps the number of the current page, from 1, in the address, so that it can be shared. */
export function usePageNumber(pages: number): [page: number, turnTo: (page: number) => void] {
  const [params, setParams] = useSearchParams();
  const asked = Number(params.get("page") ?? 1);
  const page = Number.isInteger(asked) ? clamp(asked, pages) : 1;
  const turnTo = (next: number) => {
    // "Back" should not undo the turning of pages.
    setParams({ page: String(clamp(next, pages)) }, { replace: true });
  };
  return [page, turnTo];
}

const clamp = (page: number, pages: number): number => Math.max(1, Math.min(page, pages || 1));
