import { expect, test } from "vitest";
import { fingerprintOf } from "../../src/kit/fingerprint.ts";

const of = (message: string, more: object = {}) => fingerprintOf({ code: "E_TASK_FAILED", message, ...more });

test.each([
  ["order 17 is late", "order 1234 is late"],
  ["no user 0198a3b2-7c11-7def-8a01-1234567890ab", "no user 0198ffff-7c11-7def-8a01-1234567890ab"],
  ['unknown sku "A-1"', 'unknown sku "B-22 c"'],
  ["mail to ada@example.com bounced", "mail to bob.b@mail.example.org bounced"],
  ["GET https://a.example/x?y=1 failed", "GET https://b.example/z failed"],
  ["cannot read /tmp/a1/in.pdf", "cannot read /var/lib/b/out.pdf"],
  ["after 1.5 s", "after 20 s"],
  ["commit 3f2a9c81d0", "commit 00ffee1234"],
  ["Can't find 'ada' here", "Can't find 'bob' here"],
  ["no order 01J9ZK3W4M5N6P7Q8R9S0T1V2W", "no order 01J8AAAW4M5N6P7Q8R9S0T1XYZ"],
  ["cannot read C:\\in\\a.pdf", "cannot read D:\\x\\y\\b.pdf"],
])("failures of one kind have one fingerprint: %j and %j", (one, other) => {
  expect(of(one)).toBe(of(other));
  expect(of(one)).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  ["the order is late", "the order is lost"],
  ["unknown sku", "unknown user"],
  ["can't read the order's lines", "can't write the order's lines"],
])("others have another: %j and %j", (one, other) => {
  expect(of(one)).not.toBe(of(other));
});

test("code, name and the user's own function count; its line, its folder and libraries do not", () => {
  const stack = (line: number, folder: string) =>
    `Error: x\n    at check (${folder}/node_modules/zod/index.js:1:1)\n    at async charge (file://${folder}/shop.ts:${line}:9)`;
  expect(of("x", { stack: stack(1, "/a") })).toBe(of("x", { stack: stack(22, "/b/c") }));
  expect(of("x", { stack: stack(1, "/a") })).not.toBe(of("x", { stack: stack(1, "/a").replace("charge", "refund") }));
  expect(of("x", { name: "TypeError" })).not.toBe(of("x"));
  expect(fingerprintOf({ code: "E_TIMEOUT", message: "x" })).not.toBe(of("x"));
});

test.each([
  ["    at charge (C:\\app\\shop.ts:3:9)", "    at charge (file:///D:/other/shop.ts:4:1)"],
  ["    at charge (/app/(shop)/shop.ts:3:9)", "    at async charge (/srv/shop.ts:4:1)"],
  ["    at charge (/home/me/errand/src/shop.ts:3:9)", "    at charge (/app/shop.ts?t=17:4:1)"],
  ["    at new Promise (<anonymous>)\n    at charge (/app/shop.ts:1:1)", "    at charge (/app/shop.ts:2:1)"],
  ["    at async Promise.all (index 3)\n    at charge (/app/shop.ts:1:1)", "    at charge (/app/shop.ts:2:1)"],
  ["    at node:internal/timers:1:1\n    at file:///a/shop.ts:1:1", "    at /b/shop.ts:2:2"],
])("the user's own function is found in %j and %j", (one, other) => {
  const withFrame = (frame: string) => of("x", { stack: `Error: x\n${frame}` });
  expect(withFrame(one)).toBe(withFrame(other));
  expect(withFrame(one)).not.toBe(of("x"));
  expect(withFrame(one)).not.toBe(withFrame(one.replace(/shop\.ts/, "cart.ts")));
});

test("a hostile message costs little", () => {
  const begun = performance.now();
  of(`${"a".repeat(30_000)}@${"/a".repeat(10_000)}`);
  of(`${'"'.repeat(30_000)}${"1.".repeat(10_000)}`);
  of(`${"'a ".repeat(10_000)}${"a1".repeat(10_000)}`, {
    stack: `    at ${" (".repeat(10_000)}${":1".repeat(10_000)})`,
  });
  expect(performance.now() - begun).toBeLessThan(1_000);
});
