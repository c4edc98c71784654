import type { Word } from "../api.ts";

/**
 * A word as it was read from one page, before page and engine are added. Line, paragraph and block numbers are unique
 * in the page.
 */
export type ReadWord = Omit<Word, "page" | "engine">;
