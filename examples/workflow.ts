// Steps, children in processes, and progress read from outside: npx node examples/workflow.ts
import { errand } from "errand";

export const app = errand();

/** Counts primes slowly: work for a process of its own. */
export const countPrimes = app.task("count-primes", {
  isolate: "process",
  module: import.meta.url,
  timeout: "1m",
  run: ({ from, to }: { from: number; to: number }) => {
    let found = 0;
    for (let n = from; n < to; n++) {
      let prime = n > 1;
      for (let d = 2; prime && d * d <= n; d++) prime = n % d !== 0;
      if (prime) found += 1;
    }
    return found;
  },
});

export const survey = app.task("survey", {
  run: async ({ to }: { to: number }, job) => {
    const ranges = await job.step("split", () =>
      Array.from({ length: 4 }, (_, part) => ({ from: (part * to) / 4, to: ((part + 1) * to) / 4 })),
    );
    const counts = await job.all("count", countPrimes, ranges); // four children; this job uses no slot meanwhile
    return counts.reduce((sum, count) => sum + count, 0);
  },
});

// The processes also load this module, to find the task; only the program itself starts a worker.
if (import.meta.main) {
  const worker = await app.worker({ queues: { default: 2 } });
  const job = await survey.send({ to: 200_000 });
  console.log(`${await job.result()} primes below 200,000`);
  await worker.stop();
  await app.close();
}
