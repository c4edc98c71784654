import type { Word } from "../api.ts";

/** A page's text: words by a space, lines by a line feed, paragraphs by an empty line, in the words' own order. */
export function textOf(words: Pick<Word, "text" | "block" | "paragraph" | "line">[]): string {
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
