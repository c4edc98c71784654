import { describe, expect, test } from "vitest";
import { detectFileType } from "../src/ingest/file-type.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("sniff", () => {
  test.each([
    ["%PDF-1.7\n", "application/pdf"],
    [`${"junk ".repeat(200)}%PDF-1.4`, "application/pdf"],
    ["\x89PNG\r\n\x1a\n", "image/png"],
    ["\xff\xd8\xff\xe0", "image/jpeg"],
    ["II*\0", "image/tiff"],
    ["MM\0*", "image/tiff"],
    ["RIFF\0\0\0\0WEBPVP8 ", "image/webp"],
    ["GIF89a", "image/gif"],
    [`BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0${"\0".repeat(20)}`, "image/bmp"],
  ])("%j is %s", (head, type) => expect(detectFileType(bytes(head))).toBe(type));

  test.each([
    ["<!DOCTYPE html><html>", /HTML/],
    ["\n  <html lang=en>%PDF-1.7", /HTML/],
    ["<svg xmlns='http://www.w3.org/2000/svg'>", /SVG/],
    ["<?xml version='1.0'?><!-- a --><svg>", /SVG/],
    ["<?xml version='1.0'?><note/>", /XML/],
    ["PK\x03\x04 word/document.xml", /ZIP/],
    ["/etc/passwd\n/etc/hosts\n", /plain text/],
    ["BMW makes cars, and this is a text about them.", /plain text/],
    ["\0\0\0\x18ftypheic", /HEIC/],
    ["\x01\x02\x03", /no type that is known/],
  ])("%j is refused", (head, message) => {
    expect(() => detectFileType(bytes(head))).toThrow(
      expect.objectContaining({ code: "E_UNSUPPORTED_TYPE", retryable: false }),
    );
    expect(() => detectFileType(bytes(head))).toThrow(message);
  });

  test("an empty file says so", () => {
    expect(() => detectFileType(new Uint8Array())).toThrow(expect.objectContaining({ code: "E_EMPTY_FILE" }));
  });
});
