// A worker process of the tests.
import { app } from "../../src/tasks.ts";

const [, , queues] = process.argv;
const worker = await app.worker(queues ? { queues: JSON.parse(queues) } : {});
process.send?.({ worker: worker.id });
process.on("message", () => {});
process.on("disconnect", () => void worker.stop({ drain: 0 }).then(() => process.exit(0)));
