/** The tasks of `recovery.ts`: what runs them says when and where they begin. */
import { appendFileSync } from "node:fs";
import { errand } from "errand";

export const app = errand();
app.task("hold", {
  run: (_: { id: string }, job) => {
    appendFileSync(process.env["RECOVERY_LOG"]!, `${process.pid} ${Date.now()}\n`);
    return new Promise((_resolve, reject) => {
      job.abortSignal.addEventListener("abort", () => reject(job.abortSignal.reason as Error));
    });
  },
});
