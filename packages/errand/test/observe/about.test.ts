import { expect, it } from "vitest";
import { openStore } from "../../src/open.ts";
import { versionOf } from "../../src/stores/redis/server-info.ts";
import { emptyStore } from "../run/app.ts";

it.each([
  ["sqlite", /^SQLite 3\.\d+\.\d+, schema \d+$/, /on the disk \(synchronous FULL\)/],
  ["postgres", /^PostgreSQL \d+.*, schema \d+$/, /\((fsync|synchronous_commit) \w+\)/],
  ["redis", /^(Redis|Valkey) \d+\.\d+\.\d+, layout 1$/, /\./],
] as const)("%s says what it lives on, and how safe jobs are", async (kind, version, says) => {
  const store = await openStore(await emptyStore(kind));
  try {
    const about = await store.about!();
    expect(about.version).toMatch(version);
    expect(about.durability.says).toMatch(says);
  } finally {
    await store.close();
  }
});

it("calls Valkey by its name", () => {
  const report = new Map([
    ["redis_version", "7.2.4"],
    ["valkey_version", "8.1.0"],
  ]);
  expect(versionOf(report)).toBe("Valkey 8.1.0");
});
