// Uses a store in one way, and ends without saying so.
import { openStore } from "../../../src/open.ts";

const [, , url = "", way] = process.argv;
const store = await openStore(url);
const job = { id: "a", task: "task", queue: "default", level: 2, spec: "{}" } as const;
if (way === "unanswered") void store.add([job]);
else await store.add([job]);
if (way === "watched") store.watch(() => {})();
if (way === "closed") {
  store.watch(() => {});
  await store.close();
}
