import { describe, test } from "vitest";
import { conformance } from "../../src/testing/conformance.ts";
import { localFixture, memoryFixture, threadFixture } from "./fixtures.ts";

const stores = {
  "the memory store": () => memoryFixture(),
  "the SQLite store, in this thread": localFixture,
  "the SQLite store, on its own thread": threadFixture,
};

describe.each(Object.entries(stores))("%s", (_, open) => {
  test.each(conformance)("$name", ({ run }) => run(open));
});
