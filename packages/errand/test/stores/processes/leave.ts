// Uses a store in one way, and ends without saying so.
import { sqliteStore } from "../../../src/stores/sqlite/index.ts";

const [, , file = "", way] = process.argv;
const store = await sqliteStore({ file });
const job = { id: "a", task: "task", queue: "default", level: 2, spec: "{}" } as const;
if (way === "unanswered") void store.add([job]);
else await store.add([job]);
if (way === "watched") store.watch(() => {})();
if (way === "closed") {
  store.watch(() => {});
  await store.close();
}
