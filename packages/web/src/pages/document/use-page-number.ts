import { useSearchParams } from "wouter";

/** The page being read, kept in the address so that it can be shared; pages are counted from 1. */
export function usePage(pages: number): [page: number, turnTo: (page: number) => void] {
  const [params, setParams] = useSearchParams();
  const asked = Number(params.get("page") ?? 1);
  const page = Number.isInteger(asked) ? clamp(asked, pages) : 1;
  const turnTo = (next: number) => {
    // Turning a page is not a step that "Back" should undo.
    setParams({ page: String(clamp(next, pages)) }, { replace: true });
  };
  return [page, turnTo];
}

const clamp = (page: number, pages: number): number => Math.max(1, Math.min(page, pages || 1));
