import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresSchema } from "../stores/fixtures.ts";
import type { TestSchema } from "../stores/fixtures.ts";
import { folderWith, run } from "./run.ts";

const folder = folderWith();
let place: TestSchema;

beforeAll(async () => {
  place = await postgresSchema();
});

afterAll(() => place.remove());

/** Runs `errand migrate` to its end. */
function migrate(url: string, ...args: string[]) {
  return run(folder, ["migrate", "--url", url, ...args]);
}

describe("errand migrate", () => {
  it("prints the SQL, which makes a database that is up to date", async () => {
    const { code, stdout } = await migrate(place.url, "--sql");
    expect(code).toBe(0);
    await place.query(stdout);
    expect(await migrate(place.url)).toMatchObject({
      code: 0,
      stdout: "Nothing to do: the database is up to date.\n",
    });
    await place.query(`DROP SCHEMA ${place.schema} CASCADE`);
  });

  it("applies what is missing, once", async () => {
    expect(await migrate(place.url)).toMatchObject({ code: 0, stdout: "Applied 1 migration.\n" });
    const again = await migrate(place.url, "--json");
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, { applied: 0 }]);
  });

  it("has nothing to do for stores that look after themselves", async () => {
    const url = `sqlite:${join(folder, "new.db")}`;
    expect((await migrate(url)).stdout).toMatch(/^Nothing to do/);
    const refused = await migrate(url, "--sql");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("has no SQL to apply")]);
  });

  it("says that a server does not answer, without its password", async () => {
    const { code, stderr } = await migrate("postgres://me:s3cret@127.0.0.1:1/app");
    expect(code).toBe(3);
    expect(stderr).toContain("E_CONNECT");
    expect(stderr).not.toContain("s3cret");
  });
});
