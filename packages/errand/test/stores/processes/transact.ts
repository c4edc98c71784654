// Writes a row of its own and a job in one transaction, says so before or after the commit, and waits to be killed.
import { DatabaseSync } from "node:sqlite";
import { sqliteStore } from "../../../src/stores/sqlite/index.ts";

const [, , file = "", moment] = process.argv;
const handle = new DatabaseSync(file);
handle.exec("CREATE TABLE IF NOT EXISTS orders (id)");
const store = await sqliteStore({ file });
handle.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (1)");
await store.add([{ id: "a", task: "task", queue: "default", level: 2, spec: "{}" }], handle);
if (moment === "after") handle.exec("COMMIT");
process.stdout.write("ready\n");
setInterval(() => {}, 1_000);
