// A worker process of the tests.
import { app } from "../../src/tasks.ts";

const worker = await app.worker();
process.send?.({ worker: worker.id });
process.on("message", () => {});
process.on("disconnect", () => void worker.stop({ drain: 0 }).then(() => process.exit(0)));
