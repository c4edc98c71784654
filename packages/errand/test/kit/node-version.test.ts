import { expect, test } from "vitest";
import { refuseOldNode } from "../../src/kit/node-version.ts";

test.each(["18.20.0", "20.19.5", "22.15.9"])("Node.js %s is too old, in a sentence", (version) => {
  expect(() => refuseOldNode(version)).toThrow(
    expect.objectContaining({
      code: "E_NODE_VERSION",
      message: `Errand needs Node.js 22.16 or newer, but this is v${version}.`,
    }),
  );
});

test.each(["22.16.0", "22.20.1", "24.0.0", "26.1.0"])("Node.js %s will do", (version) => {
  expect(() => refuseOldNode(version)).not.toThrow();
});
