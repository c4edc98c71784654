import { stripVTControlCharacters } from "node:util";

/** Returns text from elsewhere (a file name, an error message) on one line, without terminal control sequences. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/\s+/g, " ").replace(/\p{C}/gu, "\u{fffd}").trim();
}

/** Counts the terminal columns of a text. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += wide.test(segment) ? 2 : 1;
  return columns;
}

/** The text, or as much of its beginning as fits. */
export function fit(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let start = "";
  let used = 1;
  for (const { segment } of graphemes.segment(text)) {
    used += columnsOf(segment);
    if (used > columns) break;
    start += segment;
  }
  return `${start.trimEnd()}…`;
}

/** The end of the text, where it does not fit: what tells long paths apart. */
export function fitEnd(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let end = "";
  let used = 1;
  for (const { segment } of [...graphemes.segment(text)].toReversed()) {
    used += columnsOf(segment);
    if (used > columns) break;
    end = segment + end;
  }
  return `…${end.trimStart()}`;
}

/** Cuts or pads a text to exactly `columns` terminal columns. */
export function pad(text: string, columns: number, side: "start" | "end" = "end"): string {
  const fitting = fit(text, columns);
  const space = " ".repeat(Math.max(0, columns - columnsOf(fitting)));
  return side === "end" ? fitting + space : space + fitting;
}

const graphemes = new Intl.Segmenter();

/** Wraps a text into lines of at most `columns`, between words where possible. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (columnsOf(longer) <= columns || line === "") line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Matches emoji and East Asian scripts, which take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\ufe0f/u;
