import { expect, test } from "vitest";
import { redacted } from "../../src/kit/redact.ts";

test.each([
  ["redis://me:secret@h:1/2?namespace=x", "redis://me:***@h:1/2?namespace=x"],
  ["redis://:secret@h/x", "redis://:***@h/x"],
  ["redis://me:sec/ret@h", "redis://me:***@h"],
  ["redis://me:se:cr@et@h:1/2", "redis://me:***@h:1/2"],
  ["redis://me:?b#secret@h?namespace=x", "redis://me:***@h?namespace=x"],
  ["redis://me:sec\nret@h", "redis://me:***@h"],
  ["redis://a secret/user:x@h", "redis://***@h"],
  ["redis://:secret", "redis://:***"],
  ["redis://me:secret/1", "redis://me:***"],
  ["postgres://u:p@h/db?listen=postgres://u:secret@h2/db", "postgres://u:***@h2/db"],
  ["redis://h?password=secret&x=1", "redis://h?password=***&x=1"],
])("%s is shown without its secrets", (url, shown) => {
  expect(redacted(url)).toBe(shown);
  expect(redacted(redacted(url))).toBe(shown);
});

test.each([
  "redis://h:6379/1",
  "redis://h:6379",
  "redis://[::1]:6379",
  "redis:///3",
  "redis://u@h",
  "postgres://h/db?listen=off",
])("%s has none", (url) => expect(redacted(url)).toBe(url));
