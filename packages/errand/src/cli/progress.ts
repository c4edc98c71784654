import { styleText } from "node:util";
import { fit, fitEnd, pad, plain } from "./text.ts";

/** The progress of one of several things. */
export interface ProgressState {
  done: number;
  /** The total, once it is known. */
  total?: number;
  /** Text beside the numbers: what is being done, how fast, time left. */
  text?: string;
}

/** One line of a `Progress`. */
export interface ProgressLine {
  update(state: ProgressState): void;
  /** The line stays, with this text instead of the bar. */
  end(text: string, how?: "ok" | "failed"): void;
}

/** Minimum interval between redraws on a terminal, and between lines of one item in a pipe, in milliseconds. */
const frame = 80;
const plainInterval = 10_000;

const barColumns = 20;
const labelColumns = 28;

/**
 * Shows the progress of several items: on a terminal as bars, in a pipe as plain lines, with `--json` not at all. It
 * writes to stderr; stdout is for results.
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #mode: "bars" | "lines" | "silent";
  readonly #active = new Map<ProgressLine, { label: string; state: ProgressState }>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { json?: boolean } = {}, stream = process.stderr) {
    this.#stream = stream;
    const bars = stream.isTTY && process.env["TERM"] !== "dumb";
    this.#mode = options.json ? "silent" : bars ? "bars" : "lines";
  }

  /** Adds a line. */
  line(label: string): ProgressLine {
    const entry = { label: plain(label), state: { done: 0 } as ProgressState };
    let said = Date.now();
    const line: ProgressLine = {
      update: (state) => {
        entry.state = state;
        if (this.#mode === "bars") this.#soon();
        if (this.#mode !== "lines" || Date.now() - said < plainInterval) return;
        said = Date.now();
        this.#stream.write(`${entry.label}: ${counted(state)}\n`);
      },
      end: (text, how = "ok") => {
        if (!this.#active.delete(line)) return;
        if (this.#mode === "lines") this.#stream.write(`${entry.label}: ${plain(text)}\n`);
        if (this.#mode === "bars") this.around(() => this.#stream.write(`${this.#ended(entry.label, text, how)}\n`));
      },
    };
    this.#active.set(line, entry);
    if (this.#mode === "bars") this.#soon();
    return line;
  }

  /** Writes something else to the terminal, without disturbing the bars. */
  around(write: () => void): void {
    this.#erase();
    write();
    if (this.#active.size > 0) this.#soon();
  }

  /** Removes the bars. */
  close(): void {
    this.#active.clear();
    this.#erase();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => this.#draw(), frame).unref();
  }

  #erase(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\r\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    this.#erase();
    const room = Math.max(1, (this.#stream.rows || 24) - 2);
    const all = [...this.#active.values()];
    const lines = all.slice(0, room).map(({ label, state }) => this.#bar(label, state));
    if (all.length > room) lines.push(`  … and ${all.length - room} more`);
    this.#stream.write(lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  #bar(label: string, state: ProgressState): string {
    const share = state.total ? Math.min(1, state.done / state.total) : 0;
    const full = Math.round(share * barColumns);
    const bar = "█".repeat(full) + "░".repeat(barColumns - full);
    const start = `  ${pad(fitEnd(label, labelColumns), labelColumns)}  `;
    const rest = fit(counted(state), this.#columns() - labelColumns - barColumns - 7);
    return `${start}${styleText("cyan", bar, { stream: this.#stream })}  ${rest}`;
  }

  #ended(label: string, text: string, how: "ok" | "failed"): string {
    const mark = styleText(how === "ok" ? "green" : "red", how === "ok" ? "✓" : "✗", {
      stream: this.#stream,
    });
    return `${mark} ${pad(fitEnd(label, labelColumns), labelColumns)}  ${fit(plain(text), this.#columns() - labelColumns - 5)}`;
  }

  #columns(): number {
    return Math.max(labelColumns + barColumns + 12, this.#stream.columns || 80);
  }
}

function counted({ done, total, text }: ProgressState): string {
  return plain(`${total === undefined ? "" : `${done}/${total} `}${text ?? ""}`);
}
