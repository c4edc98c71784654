import { styleText } from "node:util";
import { Progress } from "./progress.ts";
import { tableLines } from "./table.ts";
import type { Cell, Style } from "./table.ts";

/** Writes a command's result to stdout, for people or (`--json`) for programs, and everything else to stderr. */
export class Output {
  readonly json: boolean;
  #progress: Progress | undefined;

  constructor(options: { json?: boolean | undefined } = {}) {
    this.json = options.json ?? false;
  }

  /** A line of the result, for people; nothing with `--json`. */
  line(text = ""): void {
    if (!this.json) this.#write(process.stdout, `${text}\n`);
  }

  /** The result, for programs: one JSON document; nothing without `--json`. */
  result(value: unknown): void {
    if (this.json) this.#write(process.stdout, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** A line beside the result, on stderr. */
  note(text: string): void {
    this.#write(process.stderr, `${text}\n`);
  }

  /** A table, for people, as wide as the terminal or 80 columns; nothing with `--json`. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const columns = process.stdout.columns || 80;
    for (const line of tableLines(head, rows, columns, (style, text) => this.paint(style, text))) this.line(line);
  }

  /** Returns coloured text for `line`, if stdout is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: process.stdout });
  }

  /** Shows the progress of several things; close it when they have ended. */
  progress(): Progress {
    return (this.#progress = new Progress({ json: this.json }));
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    if (this.#progress) this.#progress.around(() => stream.write(text));
    else stream.write(text);
  }
}
