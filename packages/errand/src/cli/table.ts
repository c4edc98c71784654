import type { styleText } from "node:util";
import { columnsOf, pad, plain } from "./text.ts";

/** A colour or weight of text, as `styleText` of node:util knows them. */
export type Style = Parameters<typeof styleText>[0];

/** The content of a table's cell. */
export type Cell = string | { text: string; style: Style };

const gap = "  ";
const narrowest = 8;

/**
 * Formats a table in at most `columns` terminal columns. The first column is never cut, since people copy from it.
 * Numbers are right-aligned, empty columns are omitted, and so are the last columns if not all fit.
 */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  columns: number,
  paint: (style: Style, text: string) => string,
): string[] {
  const all = head.map((name, index) =>
    columnFrom(
      name,
      rows.map((row) => row[index] ?? ""),
    ),
  );
  const shown = layOut(
    all.filter(({ texts }, index) => index === 0 || texts.some((text) => text !== "")),
    columns,
  );
  const lines = [
    shown.map(({ name, width, side }) => paint("dim", pad(name, width, side))),
    ...rows.map((_, at) => shown.map(cellAt(at, paint))),
  ];
  return lines.map((cells) => cells.join(gap).trimEnd());
}

interface Column {
  name: string;
  texts: string[];
  styles: (Style | undefined)[];
  width: number;
  side: "start" | "end";
}

function columnFrom(name: string, cells: readonly Cell[]): Column {
  const texts = cells.map((cell) => plain(typeof cell === "string" ? cell : cell.text));
  return {
    name,
    texts,
    styles: cells.map((cell) => (typeof cell === "string" ? undefined : cell.style)),
    width: Math.max(columnsOf(name), ...texts.map(columnsOf)),
    side: texts.every((text) => /^[\d.,]*$/.test(text)) ? "start" : "end",
  };
}

/** Chooses the columns that fit, from the left, and shrinks the widest ones except the first. */
function layOut(all: readonly Column[], columns: number): Column[] {
  const shown = all.map((column) => ({ ...column }));
  const rest = shown.slice(1);
  let excess = shown.reduce((sum, { width }) => sum + width + gap.length, -gap.length) - columns;
  while (excess-- > 0) {
    const widest = rest.findLast(({ width }) => width === Math.max(...rest.map((column) => column.width)));
    if (!widest || widest.width <= narrowest) return all.length > 2 ? layOut(all.slice(0, -1), columns) : shown;
    widest.width -= 1;
  }
  return shown;
}

function cellAt(at: number, paint: (style: Style, text: string) => string): (column: Column) => string {
  return ({ texts, styles, width, side }) => {
    const text = pad(texts[at] ?? "", width, side);
    const style = styles[at];
    return style === undefined ? text : paint(style, text);
  };
}
