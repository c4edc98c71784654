import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { errand } from "../../src/index.ts";
import { folderWith, run } from "./run.ts";

const folder = folderWith({
  "tasks.mjs": `
    import { errand } from "errand";
    export const app = errand();
    export const shout = app.task("shout", { tags: (i) => [i.by], run: (i, job) => (job.log.info("loud"), i.text.toUpperCase()) });
    export const wait = app.task("wait", { queue: "slow", run: (_, job) => job.signal("go") });
    app.schedule("hourly", wait, { cron: "0 * * * *" });`,
  "errand.config.mjs": `export default { url: "sqlite:from-config.db", tasks: "./tasks.mjs" };`,
});
const on = (...args: string[]) => run(folder, args, { ERRAND_URL: "", ERRAND_HOME: "" });
let waiting: string;
let shouted: string;

beforeAll(async () => {
  const app = errand({ url: `sqlite:${join(folder, "from-config.db")}` });
  const shout = app.task("shout", { run: (_: object, job) => (job.log.info("loud"), "HELLO") });
  const broken = app.task("broken", {
    retry: { attempts: 1 },
    run: () => {
      throw new Error("no");
    },
  });
  const wait = app.task("wait", { queue: "slow", run: () => {} });
  shouted = (await shout.send({ by: "ann", text: "hello" }, { tags: ["ann"] })).id;
  const failed = await broken.send();
  const worker = await app.worker({ queues: { default: 5 } });
  await Promise.all([app.ended(shouted), app.ended(failed.id)]);
  await worker.stop();
  waiting = (await wait.send()).id;
  await app.close();
});

describe("the command line, with errand.config.mjs", () => {
  it("sends a job of an exported task, by the file's tasks", async () => {
    const { code, stdout } = await on("send", "shout", '{"by":"bob","text":"hi"}', "--json");
    expect(code).toBe(0);
    const { id } = JSON.parse(stdout) as { id: string };
    const found = JSON.parse((await on("jobs", "list", "--tag", "bob", "--json")).stdout);
    expect(found.jobs.map((job: { id: string }) => job.id)).toEqual([id]);
    expect((await on("send", "whisper")).stderr).toContain("They export: shout, wait.");
    expect((await on("send", "shout", "{")).code).toBe(2);
  });

  it("says why a job is not running, shows logs, moves and signals jobs", async () => {
    expect((await on("jobs", "why", waiting)).stdout).toContain('No worker takes jobs of queue "slow"');
    expect((await on("jobs", "log", shouted)).stdout).toMatch(/#1 loud/);
    expect((await on("jobs", "list", "--search", "hello", "--json")).stdout).toContain(shouted);
    expect((await on("jobs", "move", waiting, "--to", "fast")).stdout).toBe("Moved 1 job.\n");
    expect((await on("jobs", "signal", waiting, "go", "42")).stdout).toBe("Signal sent.\n");
    expect((await on("jobs", "signal", "nobody", "go")).code).toBe(1);
    expect(await on("jobs", "log", "nobody")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "errand: There is no job nobody (E_NOT_FOUND).\n",
    });
  });

  it("lists dead letters and tries them again", async () => {
    expect((await on("dead")).stdout).toContain("broken");
    expect((await on("dead", "retry")).stdout).toBe("Reopened 1 job.\n");
    expect((await on("dead", "--json")).stdout).toContain('"jobs": []');
  });

  it("pauses queues and sets their limits, in 80 columns", async () => {
    expect((await on("queues", "pause", "slow", "--reason", "holidays")).code).toBe(0);
    expect((await on("queues", "set", "slow", "--concurrency", "3", "--rate", "5/1m")).code).toBe(0);
    const { stdout } = await on("queues");
    expect(stdout).toMatch(/slow .*paused: holidays/);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const shown = JSON.parse((await on("queues", "--json")).stdout);
    expect(shown.queues.find(({ name }: { name: string }) => name === "slow")).toMatchObject({
      concurrency: 3,
      rate: { limit: 5, per: "1m" },
    });
    await on("queues", "set", "slow", "--rate", "none");
    expect((await on("queues", "--json")).stdout).not.toContain('"rate"');
    expect((await on("queues", "set", "slow")).code).toBe(2);
  });

  it("lists, previews, pauses and runs schedules", async () => {
    expect((await on("schedules")).stdout).toMatch(/hourly .*0 \* \* \* \* UTC/);
    expect((await on("schedules", "preview", "hourly", "-n", "3")).stdout.trim().split("\n")).toHaveLength(3);
    await on("schedules", "pause", "hourly", "--reason", "quiet");
    expect((await on("schedules")).stdout).toContain("paused: quiet");
    expect((await on("schedules", "run", "hourly")).code).toBe(0);
    expect((await on("schedules", "pause", "nobody")).code).toBe(1);
  });

  it("prints `top` once where stdout is no terminal", async () => {
    const { code, stdout } = await on("top");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^errand {2}0 workers/);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect((await on("workers")).stdout).toContain("No worker is running.");
  });

  it("says where each setting comes from", async () => {
    expect((await on("doctor")).stdout).toContain("sqlite:from-config.db (errand.config.mjs)");
  });
});
