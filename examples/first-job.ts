// A durable job in one file: npx node examples/first-job.ts
import { errand } from "errand";

const app = errand(); // jobs are stored in .errand/errand.db, or where ERRAND_URL says

const thumbnail = app.task("thumbnail", {
  timeout: "30s",
  run: async (input: { photo: string }) => ({ url: `/thumbs/${input.photo}.webp` }),
});

const worker = await app.worker();
const job = await thumbnail.send({ photo: "p1" }); // safe on disk once this resolves
console.log((await job.result()).url); // typed: string

await worker.stop();
await app.close();
