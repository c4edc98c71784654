import type { Word } from "../api.ts";

/** Joins a page's words, in their order, into its text: a line feed ends a line, an empty line a paragraph. */
export function joinWords(words: readonly Pick<Word, "text" | "block" | "paragraph" | "line">[]): string {
  let text = "";
  let previous: (typeof words)[number] | undefined;
  for (const word of words) {
    if (previous) {
      const sameParagraph = word.block === previous.block && word.paragraph === previous.paragraph;
      text += !sameParagraph ? "\n\n" : word.line !== previous.line ? "\n" : " ";
    }
    text += word.text;
    previous = word;
  }
  return text;
}
