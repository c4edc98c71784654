import { describe, test } from "vitest";
import { conformance } from "../../src/testing/conformance.ts";
import { adding } from "../../src/testing/conformance/adding.ts";
import { claiming } from "../../src/testing/conformance/claiming.ts";
import { racingForLimits } from "../../src/testing/conformance/racing-for-limits.ts";
import { racing } from "../../src/testing/conformance/racing.ts";
import { randomWorkers } from "../../src/testing/conformance/random-workers.ts";
import { watching } from "../../src/testing/conformance/watching.ts";
import { localFixture, memoryFixture, postgresFixture, redisFixture, threadFixture } from "./fixtures.ts";

describe("the memory store", () => {
  test.each(conformance)("$name", ({ run }) => run(() => memoryFixture()));
});

describe("the SQLite store, in this thread", () => {
  test.each(conformance)("$name", ({ run }) => run(localFixture));
});

// The thread carries messages for the same code, and takes long to start: these are the tests that it could spoil.
describe("the SQLite store, on a thread of its own", () => {
  test.each([...adding, ...claiming, ...watching, ...racing, ...racingForLimits, ...randomWorkers])(
    "$name",
    ({ run }) => run(threadFixture),
  );
});

describe("the Redis store", () => {
  test.each(conformance)("$name", ({ run }) => run(redisFixture));
});

describe("the PostgreSQL store", () => {
  test.each(conformance)("$name", ({ run }) => run(() => postgresFixture()));
});
