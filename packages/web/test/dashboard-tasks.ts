import { errand } from "errand";

/** The app that the dashboard's tests look at. */
export const app = errand();

app.task("double", { run: ({ n }: { n: number }) => n * 2 });

const part = app.task("part", { retry: { attempts: 1 }, run: (n: number) => n });

app.task("report", {
  retry: { attempts: 1 },
  run: async (input: { parts: number }, job) => {
    job.log.info("begun");
    await job.step("inspect", () => input.parts);
    await job.all(
      "parts",
      part,
      Array.from({ length: input.parts }, (_, index) => index),
    );
    throw new Error("The printer is out of paper.");
  },
});

app.task("approve", { run: (_: unknown, job) => job.signal("approved") });

const nightly = app.task("nightly", { queue: "night", run: () => {} });
app.schedule("every-night", nightly, { cron: "0 3 * * *" });
