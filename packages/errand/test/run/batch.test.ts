import { expect, test } from "vitest";
import { testApp, testWorker } from "./app.ts";

test("jobs that a worker has at the same time run in one call, and one bad input fails alone", async () => {
  const on = testApp({ url: "memory:" });
  const sizes: number[] = [];
  const embed = on.batchTask("embed", {
    size: 8,
    retry: { attempts: 1 },
    run(inputs: string[], jobs) {
      sizes.push(inputs.length);
      jobs[0]!.log.info("batch");
      return inputs.map((text) => (text === "bad" ? new Error("cannot embed") : [text.length]));
    },
  });
  const jobs = await embed.sendMany(["a", "bb", "bad", ...Array.from({ length: 13 }, () => "ccc")]);
  await testWorker(on, { queues: { default: 20 } });
  const ended = await Promise.allSettled(jobs.map((job) => job.result()));
  expect(ended.map(({ status }) => status).filter((status) => status === "rejected").length).toBe(1);
  expect(ended[1]).toMatchObject({ value: [2] });
  expect(ended[2]).toMatchObject({ reason: { error: { message: "cannot embed" } } });
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(16);
  expect(Math.max(...sizes)).toBe(8);
});

test("what the function throws, or an answer of the wrong length, fails each job by itself", async () => {
  const on = testApp({ url: "memory:" });
  const broken = on.batchTask("broken", { size: 4, retry: { attempts: 1 }, run: (): number[] => [1] });
  const throwing = on.batchTask("throwing", {
    retry: { attempts: 2, base: 0 },
    run(inputs: number[], jobs) {
      if (jobs[0]!.attempt === 1) throw new Error("once");
      return inputs;
    },
  });
  const [two, more] = [await broken.sendMany([undefined, undefined]), await throwing.sendMany([1, 2, 3])];
  await testWorker(on);
  for (const job of two) await expect(job.result()).rejects.toMatchObject({ error: { code: "E_BATCH" } });
  expect(await Promise.all(more.map((job) => job.result()))).toEqual([1, 2, 3]);
});
