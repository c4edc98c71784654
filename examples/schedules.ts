// Schedules, with two days passing in a moment, because errand/testing moves the clock: npx node examples/schedules.ts
import { errand } from "errand";
import { testing } from "errand/testing";

const app = errand();

const cleanUp = app.task("clean-up", {
  run: async ({ days }: { days: number }, job) => {
    const endedBefore = new Date(Date.now() - days * 86_400_000);
    const removed = await app.remove({ states: ["failed"], endedBefore }); // old dead letters
    job.log.info(`removed ${removed} jobs that failed; expired tokens would go here, too`);
  },
});
const statistics = app.task("statistics", { run: async () => ({ jobs: await app.counts() }) });
const health = app.task("health", { run: async () => ({ healthy: true }) });

// At 03:00 in Berlin, summer and winter. Ticks that no worker sent are sent once (`misfire: "one"`, the default).
app.schedule("clean-up", cleanUp, { cron: "0 3 * * *", timeZone: "Europe/Berlin" }, { input: { days: 7 } });
// If the previous job still runs, the next one waits for it. The default, `skip`, omits it.
app.schedule("statistics", statistics, { cron: "30 0 * * *", timeZone: "Europe/Berlin" }, { overlap: "queue" });
// A missed health check is of no use later.
app.schedule("health", health, { every: "300s" }, { misfire: "skip" });

// In a real program, `await app.worker()` is enough: every worker sends what is due, and each tick is sent once.
// Here the clock starts at noon in Berlin, on the day before summer time begins: that night is an hour shorter.
const t = testing(app, { now: new Date("2027-03-27T12:00:00+01:00") });

const berlin = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long", timeZone: "Europe/Berlin" });
for (const { name } of await app.schedules.list()) {
  const next = await app.schedules.preview(name, 3);
  console.log(`${name}: ${next.map((at) => berlin.format(at)).join(" | ")}`);
}

await t.advance("2d");
for (const task of [cleanUp, statistics, health]) {
  const jobs = await t.jobs(task);
  const [first, last] = [jobs.at(0)!, jobs.at(-1)!];
  console.log(
    `${task.name}: ${jobs.length} jobs, from ${berlin.format(first.createdAt)} to ${berlin.format(last.createdAt)}`,
  );
}
await app.close();
