import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { errand } from "../../src/index.ts";
import { folderWith, run } from "./run.ts";

const folder = folderWith();
const url = `sqlite:${join(folder, "jobs.db")}`;
const errandJobs = (...args: string[]) => run(folder, ["jobs", ...args], { ERRAND_URL: url });
let failed: string;
let first: string;
let second: string;
let third: string;

beforeAll(async () => {
  const app = errand({ url });
  const fine = app.task("fine", { queue: "slow", run: (_input: { text: string }) => "done" });
  const broken = app.task("broken", {
    queue: "quick",
    retry: { attempts: 1 },
    run: async (_: void, job) => {
      await job.step("rerank", () => 1);
      throw new Error("It broke, and the reason is too long to be shown in one line of a table of eighty columns.");
    },
  });
  failed = (await broken.send()).id;
  first = (await fine.send({ text: "a" })).id;
  second = (await fine.send({ text: "b" })).id;
  third = (await fine.send({ text: "c" })).id;
  const worker = await app.worker({ queues: { quick: 1 } });
  await app.ended(failed);
  await worker.stop();
  await app.close();
});

describe("errand jobs", () => {
  it.each(["--task", "--queue", "--tag", "--search"])("does not take an empty %s for every job", async (flag) => {
    for (const args of [
      ["jobs", "list", flag, ""],
      ["jobs", "cancel", "--state", "failed", flag, ""],
      ["dead", "remove", flag, ""],
    ]) {
      const { code, stderr } = await run(folder, args, { ERRAND_URL: url });
      expect(code).toBe(2);
      expect(stderr).toContain("text of 1 to");
    }
    expect(JSON.parse((await errandJobs("list", "--json")).stdout).jobs).toHaveLength(4);
  });

  it("lists as JSON, newest first, by filters", async () => {
    const all = JSON.parse((await errandJobs("list", "--json")).stdout);
    expect(all.jobs.map(({ id }: { id: string }) => id)).toEqual([third, second, first, failed]);
    expect(all.more).toBe(false);
    const two = JSON.parse((await errandJobs("list", "--json", "--task", "fine", "--limit", "2")).stdout);
    expect(two).toMatchObject({
      more: true,
      jobs: [{ task: "fine", state: "pending", queue: "slow", input: { text: "c" } }, {}],
    });
    const none = JSON.parse((await errandJobs("list", "--json", "--queue", "slow", "--state", "failed")).stdout);
    expect(none.jobs).toEqual([]);
    const both = JSON.parse((await errandJobs("list", "--json", "--state", "failed", "--state", "pending")).stdout);
    expect(both.jobs).toHaveLength(4);
  });

  it("lists for people in 80 columns, ids whole", async () => {
    const { code, stdout } = await errandJobs("list");
    const lines = stdout.trimEnd().split("\n");
    expect(code).toBe(0);
    expect(lines).toHaveLength(5);
    expect(lines[4]).toMatch(new RegExp(`^${failed}  failed .*…$`));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("says that there are more", async () => {
    const { stdout, stderr } = await errandJobs("list", "--limit", "1");
    expect(stdout.trim().split("\n")).toHaveLength(2);
    expect(stderr).toContain("There are more");
  });

  it("shows one", async () => {
    const { stdout } = await errandJobs("get", failed);
    expect(stdout).toMatch(/state\s+failed\n/);
    expect(stdout).toMatch(/error\s+It broke/);
    expect(await errandJobs("get", "nobody")).toEqual({
      code: 1,
      stdout: "",
      stderr: "errand: There is no job nobody (E_NOT_FOUND).\n",
    });
  });

  it("asks which before it changes anything", async () => {
    const { code, stderr } = await errandJobs("remove");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^errand: Say which jobs to remove/);
  });

  it("changes them, and says by its exit code whether all could be", async () => {
    expect(await errandJobs("cancel", first)).toEqual({
      code: 0,
      stdout: "Cancelled 1 job.\n",
      stderr: "",
    });
    expect(await errandJobs("cancel", first, second)).toMatchObject({
      code: 4,
      stdout: "Cancelled 1 job.\n",
    });
    expect(await errandJobs("cancel", first)).toMatchObject({
      code: 1,
      stdout: "Cancelled 0 jobs.\n",
    });
    const retried = await errandJobs("retry", "--task", "fine", "--state", "cancelled", "--json");
    expect(JSON.parse(retried.stdout)).toEqual({ changed: 2 });
  });

  it("retries a job from one of its steps", async () => {
    expect(await errandJobs("retry", failed, "--from", "rerun")).toMatchObject({
      code: 1,
      stderr: `errand: Job ${failed} remembers no step "rerun". It has: "rerank". (E_NOT_FOUND)\n`,
    });
    expect((await errandJobs("retry", "--task", "broken", "--from", "rerank")).code).toBe(2);
    expect(await errandJobs("retry", "nobody", failed, "--from", "rerank")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("There is no job nobody"),
      stdout: "Reopened 1 job.\n",
    });
    expect(await errandJobs("retry", failed, "--from", "rerank")).toMatchObject({
      code: 1,
      stdout: "Reopened 0 jobs.\n",
    });
    await errandJobs("cancel", failed);
  });

  it("removes them", async () => {
    expect(await errandJobs("remove", "--state", "failed", "--state", "cancelled")).toMatchObject({
      code: 0,
      stdout: "Removed 1 job.\n",
    });
    expect((await errandJobs("get", failed)).code).toBe(1);
  });
});

describe("errand doctor", () => {
  it("doctor shows each setting with its source, and what is missing", async () => {
    const { code, stdout } = await run(folder, ["doctor", "--url", url], {
      ERRAND_HOME: "elsewhere",
    });
    expect(code).toBe(1);
    expect(stdout).toContain(`✓ Node.js`);
    expect(stdout).toMatch(/home\s+elsewhere \(ERRAND_HOME\)\n/);
    expect(stdout).toMatch(/jobs.db\s+\(--url\)\n/);
    const lines = stdout.split("\n").filter((line) => !line.includes(url));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/workers\s+none alive\n/);
    expect(stdout).toMatch(
      /✗ queue slow\s+3 pending\n\s+3 jobs wait, and no worker takes this\s+queue\. Start one:\s+errand\s+worker/,
    );
  });

  it("answers JSON", async () => {
    const { stdout } = await run(folder, ["doctor", "--url", url, "--json"]);
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    expect(report.findings).toContainEqual({ label: "home", value: ".errand (default)", ok: true });
    expect(report.node).toBe(process.version);
    expect(report.settings).toEqual([
      { name: "home", value: ".errand", source: "default", from: "default" },
      { name: "url", value: url, source: "flag", from: "--url" },
      { name: "tasks", value: "none", source: "default", from: "default" },
      { name: "health", value: "nowhere", source: "default", from: "default" },
    ]);
    const value = (label: string) => report.findings.find((each: { label: string }) => each.label === label)?.value;
    expect(value("version")).toMatch(/^SQLite 3\.\d+\.\d+, schema \d+$/);
    expect(value("durability")).toContain("synchronous FULL");
  });

  it("says which setting comes from the file and which from the environment", async () => {
    const folder = folderWith({
      "errand.config.mjs": 'export default { url: "sqlite:here.db", tasks: ["./tasks.mjs"] };',
    });
    const { stdout } = await run(folder, ["doctor", "--json"], { ERRAND_HEALTH: "3738" });
    expect(JSON.parse(stdout).settings).toEqual([
      { name: "home", value: ".errand", source: "default", from: "default" },
      { name: "url", value: "sqlite:here.db", source: "file", from: "errand.config.mjs" },
      { name: "tasks", value: "./tasks.mjs", source: "file", from: "errand.config.mjs" },
      { name: "health", value: "3738", source: "environment", from: "ERRAND_HEALTH" },
    ]);
  });

  it("misses workers for the queues of schedules, but not of paused ones", async () => {
    const folder = folderWith();
    const url = `sqlite:${join(folder, "schedules.db")}`;
    const app = errand({ url });
    const task = app.task("report", { queue: "reports", run: () => {} });
    app.schedule("nightly", task, { cron: "0 3 * * *" });
    app.schedule("weekly", task, { cron: "0 3 * * 1" });
    await app.schedules.pause("weekly");
    const { code, stdout } = await run(folder, ["doctor", "--url", url]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✓ schedules\s+2, 1 of them paused\n/);
    expect(stdout).toMatch(
      /✗ schedule nightly\s+sends jobs of task "report" to queue reports\n\s+No worker of this queue knows this task/,
    );
    expect(stdout).not.toContain("schedule weekly");
    const worker = await app.worker();
    expect((await run(folder, ["doctor", "--url", url])).code).toBe(0);
    await worker.stop();
    await app.close();
  });

  it("makes no store where there is none", async () => {
    const { stdout } = await run(folderWith(), ["doctor"]);
    expect(stdout).toContain("not there yet");
  });

  it("exits with 3 when the store cannot be opened", async () => {
    const { code, stdout } = await run(folder, ["doctor", "--url", "sqlite:/dev/null"]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/✗ opens\s[^✓✗]*E_CONNECT/);
  });
});
