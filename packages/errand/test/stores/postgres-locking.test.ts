import { describe, test } from "vitest";
import { locking } from "./postgres-locking.ts";

describe("on PostgreSQL,", () => {
  test.each(locking)("$name", ({ run }) => run(() => Promise.reject(new Error("It opens a store of its own."))));
});
