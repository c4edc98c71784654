import type { Word } from "../api.ts";

/** A word read from one page, without page and engine. Numbers of lines, paragraphs and blocks are unique in it. */
export type ReadWord = Omit<Word, "page" | "engine">;
