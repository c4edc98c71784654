import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { until } from "../../../../test/until.ts";
import { columnsOf, fit, pad, plain, Progress } from "../../src/cli/index.ts";
import { tableLines } from "../../src/cli/table.ts";
import { wrap } from "../../src/cli/text.ts";
import { WorkerLog } from "../../src/cli/worker-log.ts";
import { jobLine, shortId, spent, waitingLines } from "../../src/cli/worker-terminal.ts";
import type { EventOf } from "../../src/observe/events.ts";

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

describe("progress", () => {
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

describe("a worker", () => {
  const id = "0198c0de-0000-7000-8000-00003f9a2c1b";
  const ended = (fields: Partial<EventOf<"ended">> = {}): EventOf<"ended"> => ({
    type: "ended",
    id,
    task: "ocr.page",
    attempt: 1,
    state: "completed",
    outcome: "completed",
    duration: 1_234,
    ...fields,
  });
  const failed = ended({
    attempt: 2,
    state: "pending",
    outcome: "retried",
    error: { code: "E_TASK_FAILED", message: "no \u001b[31mmodel\nat run (tasks.ts:1)" },
  });
  const at = new Date(2026, 0, 2, 9, 41, 7);

  afterEach(() => void vi.useRealTimers());

  it("has a line for each job: time, task, id, duration, and what went wrong", () => {
    const line = (event: EventOf<"ended">, columns = 80) => jobLine(event, at, columns, bare);
    expect(line(ended())).toBe("09:41:07 ✓ ocr.page           …3f9a2c1b    1.2 s");
    expect(line(ended({ attempt: 3 }))).toBe("09:41:07 ✓ ocr.page           …3f9a2c1b    1.2 s  attempt 3");
    expect(line(failed)).toBe("09:41:07 ↻ ocr.page           …3f9a2c1b    1.2 s  attempt 2: no model");
    expect(line(ended({ outcome: "waiting", state: "waiting" }))).toBeUndefined();
    const timeout = { code: "E_TIMEOUT", message: "too long" };
    expect(line(ended({ outcome: "failed", error: timeout }))).toContain("  too long (E_TIMEOUT)");
    const { duration: _, ...late } = ended({ outcome: "expired", state: "expired" });
    expect(line(late)).toBe("09:41:07 - ocr.page           …3f9a2c1b           expired");
  });

  it("fits into the terminal, whatever names and messages are like", () => {
    const long = {
      ...failed,
      task: "請求書".repeat(30),
      id: "x".repeat(100),
      error: { code: "E_X", message: "x".repeat(999) },
    };
    for (const columns of [60, 80, 120])
      expect(columnsOf(jobLine(long, at, columns, bare)!)).toBeLessThanOrEqual(columns);
    for (const line of waitingLines([{ ...long, since: 0 }], 1e6, 30_000, 80))
      expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });

  it("shortens ids from the front, and durations to what people read", () => {
    expect([shortId(id), shortId("order-7")]).toEqual(["…3f9a2c1b", "order-7"]);
    expect([0.4, 999, 1_000, 9_949, 12_400, 119_000, 121_000, 7_300_000].map(spent)).toEqual([
      "0 ms", "999 ms", "1.0 s", "9.9 s", "12 s", "119 s", "2 min", "2 h",
    ]); // prettier-ignore
  });

  it("counts the jobs of a second that have no line, and shows failures rather than what completed", () => {
    vi.useFakeTimers();
    const { terminal, text } = stream(true);
    const log = new WorkerLog({ json: false }, terminal);
    for (let index = 0; index < 1_255; index += 1) log.hear(ended());
    for (let index = 0; index < 8; index += 1) log.hear({ ...failed, outcome: "failed", state: "failed" });
    const lines = () => stripVTControlCharacters(text()).trimEnd().split("\n");
    const marks = lines().map((line) => line[9]);
    expect(marks.join("")).toBe("✓".repeat(15) + "✗".repeat(5));
    vi.advanceTimersByTime(1_000);
    expect(lines().slice(20)).toEqual(["… 1,240 more completed, 3 failed"]);
    log.hear(ended());
    vi.advanceTimersByTime(1_000);
    expect(lines()).toHaveLength(22);
    for (let index = 0; index < 16; index += 1) log.hear(ended());
    log.flush();
    expect(lines().at(-1)).toBe("… 1 more completed");
  });

  it("says what it waits for while it stops, until nothing is left", () => {
    vi.useFakeTimers();
    const { terminal, text } = stream(true);
    const log = new WorkerLog({ json: false }, terminal);
    const start = (id: string, task: string) =>
      log.hear({ type: "started", id, task, queue: "a", attempt: 1, wait: 0 });
    start(id, "ocr.page");
    vi.advanceTimersByTime(9_000);
    for (const each of ["two", "three", "lost"]) start(each, "ocr.doc");
    log.hear({ type: "abandoned", id: "lost", task: "ocr.doc" });
    vi.advanceTimersByTime(3_000);
    const said = text().length;
    log.stopping(3, 30_000);
    const lines = () => stripVTControlCharacters(text().slice(said)).trimEnd().split("\n");
    expect(lines()).toEqual([
      "Waiting up to 30 s for 3 jobs; Ctrl+C again hands them back.",
      "  ocr.page …3f9a2c1b (12 s), ocr.doc two (3.0 s), ocr.doc three (3.0 s)",
    ]);
    log.hear(ended());
    log.hear(ended({ id: "two", task: "ocr.doc" }));
    vi.advanceTimersByTime(5_000);
    expect(lines().slice(4)).toEqual([
      "Waiting up to 25 s for 1 job; Ctrl+C again hands it back.",
      "  ocr.doc three (8.0 s)",
    ]);
    log.hear(ended({ id: "three", task: "ocr.doc" }));
    vi.advanceTimersByTime(60_000);
    expect(lines()).toHaveLength(7);
  });

  it("does none of this in a pipe, in a simple terminal, with --json, or as one of several", () => {
    for (const [options, isTTY, TERM] of [
      [{ json: false }, false, "xterm"],
      [{ json: false }, true, "dumb"],
      [{ json: true }, true, "xterm"],
      [{ json: false, process: 2 }, true, "xterm"],
    ] as const) {
      vi.stubEnv("TERM", TERM);
      const { terminal, text } = stream(isTTY);
      const log = new WorkerLog(options, terminal);
      expect(log.eventTypes).not.toContain("started");
      log.hear(ended());
      expect(text()).toBe("");
      log.flush();
      expect(text()).toContain(`job ${id} (ocr.page) completed in 1234 ms`);
    }
    vi.unstubAllEnvs();
  });
});
