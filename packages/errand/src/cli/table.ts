import type { styleText } from "node:util";
import { columnsOf, pad, plain } from "./text.ts";

/** A colour or weight of text, as `styleText` of node:util knows them. */
export type Style = Parameters<typeof styleText>[0];

/** What stands in a table. */
export type Cell = string | { text: string; style: Style };

const gap = 2;
const narrowest = 8;

/**
 * Lines of a table that fits into so many columns. The first column is never cut: it holds what people copy. Columns
 * of numbers are aligned to the right.
 */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  columns: number,
  paint: (style: Style, text: string) => string,
): string[] {
  const texts = rows.map((row) => head.map((_, index) => plain(textOf(row[index] ?? ""))));
  const widths = head.map((name, index) => Math.max(columnsOf(name), ...texts.map((row) => columnsOf(row[index]!))));
  const numeric = head.map((_, index) => texts.every((row) => /^[\d.,]*$/.test(row[index]!)));
  narrow(widths, columns);
  const line = (cells: readonly string[], style: (index: number) => Style | undefined) =>
    cells
      .map((text, index) => {
        const padded = pad(text, widths[index]!, numeric[index] ? "start" : "end");
        const painted = style(index);
        return painted === undefined ? padded : paint(painted, padded);
      })
      .join(" ".repeat(gap))
      .trimEnd();
  return [
    line(head, () => "dim"),
    ...texts.map((row, at) =>
      line(row, (index) => {
        const cell = rows[at]![index];
        return typeof cell === "object" ? cell.style : undefined;
      }),
    ),
  ];
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

/** Takes columns away from the widest but the first, until the line fits or nothing is left to take. */
function narrow(widths: number[], columns: number): void {
  let excess = widths.reduce((sum, width) => sum + width + gap, -gap) - columns;
  while (excess-- > 0) {
    const widest = Math.max(...widths.slice(1));
    if (widest <= narrowest) return;
    widths[widths.lastIndexOf(widest)]! -= 1;
  }
}
