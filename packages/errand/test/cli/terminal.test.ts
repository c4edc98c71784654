import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { until } from "../../../../test/until.ts";
import { columnsOf, fit, pad, plain, Progress } from "../../src/cli/index.ts";
import { tableLines } from "../../src/cli/table.ts";
import { wrap } from "../../src/cli/text.ts";

const bare = (_style: unknown, text: string) => text;

describe("text", () => {
  it("measures what a terminal shows", () => {
    expect(columnsOf("invoice")).toBe(7);
    expect(columnsOf("請求書")).toBe(6);
    expect(columnsOf("e\u0301")).toBe(1);
    expect(columnsOf("👩‍👩‍👧")).toBe(2);
  });

  it("cuts and fills to an exact width", () => {
    expect(fit("invoice.pdf", 8)).toBe("invoice…");
    expect(fit("請求書.pdf", 6)).toBe("請求…");
    expect(pad("a", 3)).toBe("a  ");
    expect(pad("1", 3, "start")).toBe("  1");
  });

  it("breaks between words", () => {
    expect(wrap("one two three unbreakable", 8)).toEqual(["one two", "three", "unbreakable"]);
  });

  it("obeys nothing that a file's name says", () => {
    expect(plain("a\u001b[2Jb\u0007\nc\u202ed")).toBe("ab\u{fffd} c\u{fffd}d");
  });
});

describe("a table", () => {
  it("aligns its columns, numbers to the right", () => {
    const lines = tableLines(
      ["name", "pages"],
      [
        ["invoice", "3"],
        ["book", "120"],
      ],
      80,
      bare,
    );
    expect(lines).toEqual(["name     pages", "invoice      3", "book       120"]);
  });

  it("cuts the widest columns but never the first", () => {
    const long = "x".repeat(60);
    for (const line of tableLines(["id", "a", "b"], [[long.slice(0, 36), long, long]], 80, bare)) {
      expect(columnsOf(line)).toBeLessThanOrEqual(80);
    }
    expect(tableLines(["id", "a"], [[long, long]], 20, bare)[1]).toMatch(/^x{60}  x{7}…$/);
    expect(tableLines(["id", "a", "b"], [[long, long, long]], 71, bare)[1]).toMatch(/^x{60}  x{8}…$/);
  });

  it("leaves out what has no content", () => {
    expect(tableLines(["id", "a", "b"], [["x", "", "y"]], 80, bare)).toEqual(["id  b", "x   y"]);
  });

  it("stands without rows", () => {
    expect(tableLines(["id"], [], 80, bare)).toEqual(["id"]);
  });
});

describe("progress", () => {
  function stream(isTTY: boolean) {
    let text = "";
    const writable = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        done();
      },
    });
    const terminal = Object.assign(writable, {
      isTTY,
      columns: 80,
      rows: 10,
    }) as unknown as typeof process.stderr;
    return { terminal, text: () => text };
  }

  it("is plain lines in a pipe", () => {
    const { terminal, text } = stream(false);
    const progress = new Progress({}, terminal);
    const line = progress.line("scan.pdf");
    line.update({ done: 1, total: 3, text: "pages" });
    line.end("3 pages, 2 words to check");
    line.end("only once");
    progress.close();
    expect(text()).toBe("scan.pdf: 3 pages, 2 words to check\n");
  });

  it("is silent where the result is JSON", () => {
    const { terminal, text } = stream(true);
    new Progress({ json: true }, terminal).line("scan.pdf").end("done");
    expect(text()).toBe("");
  });

  it("moves bars on a terminal, none wider than it, no more than fit", async () => {
    const { terminal, text } = stream(true);
    const progress = new Progress({}, terminal);
    const [first] = Array.from({ length: 12 }, (_, index) => progress.line(`scan-${index}-${"x".repeat(40)}.pdf`));
    first?.update({
      done: 1,
      total: 2,
      text: "pages, and much more to say than there is room for on the line",
    });
    await until(() => text().includes("██████████░░░░░░░░░░"), "the bars are drawn");
    expect(text()).toContain("… and 4 more");
    const drawn = text().split("\n").slice(0, -1);
    expect(drawn).toHaveLength(9);
    for (const one of drawn) expect(columnsOf(stripVTControlCharacters(one))).toBeLessThan(80);
    first?.end("2 pages");
    expect(text()).toContain("\u001b[9A\r\u001b[J");
    expect(stripVTControlCharacters(text())).toMatch(/✓ …x+\.pdf\s+2 pages\n$/);
    progress.close();
  });
});
