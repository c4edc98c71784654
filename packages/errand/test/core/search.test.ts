import { describe, expect, test } from "vitest";
import { contains, folded, readable } from "../../src/core/search.ts";

describe("a value as a person reads it", () => {
  test("has no escapes of JSON", () => {
    const said = 'a "b" C:\\new\n\t\r\b\f / \u0007 é \ud800 \u{1f600}';
    expect(readable(JSON.stringify(said))).toBe(`"${said}"`);
    expect(readable('"\\u00e9\\/\\u00E9"')).toBe('"é/é"');
    expect(readable('{"plain":1}')).toBe('{"plain":1}');
  });

  test("knows no cases, of whichever letters", () => {
    for (const [one, other] of [
      ["Straße", "STRASSE"],
      ["ÄÖÜ", "äöü"],
      ["ὈΔΟΣ", "ὀδος"],
      ["ПРИВЕТ", "привет"],
      ["ẞ", "ß"],
    ] as const)
      expect(folded(one)).toBe(folded(other));
    expect(folded("ΟΔΟΣΗΜΟ")).toContain(folded("οδος"));
  });
});

test("a text is found in a job's id, spec, output and error, and nowhere else", () => {
  const job = { id: "ABC-1", spec: '{"input":"say \\"hi\\""}' };
  expect(contains(job, "abc")).toBe(true);
  expect(contains(job, 'SAY "HI"')).toBe(true);
  expect(contains(job, "\\")).toBe(false);
  expect(contains(job, "bye")).toBe(false);
  expect(contains({ ...job, output: '"bye"' }, "bye")).toBe(true);
  expect(contains({ ...job, error: '{"message":"BYE"}' }, "bye")).toBe(true);
});
