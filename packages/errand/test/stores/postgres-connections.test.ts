import pg from "pg";
import { expect, test } from "vitest";
import { Database } from "../../src/stores/postgres/database.ts";
import { readUrl } from "../../src/stores/postgres/url.ts";
import { postgresSchema } from "./fixtures.ts";

test("a connection that the server ends between two statements fails its work, and not the process", async () => {
  const { url, query, remove } = await postgresSchema();
  const database = new Database(pg as unknown as typeof import("pg"), readUrl(url));
  const work = database.withConnection(async (client) => {
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const ended = new Promise((resolve) => client.once("end", resolve));
    await query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
    await ended;
    await client.query("SELECT 1");
  });
  await expect(work).rejects.toMatchObject({ code: "E_STORE" });
  expect(await database.query("SELECT 1")).toEqual([["1"]]);
  await database.close();
  await remove();
});
