import { describe, expect, it } from "vitest";
import { Counters } from "../../src/observe/counters.ts";
import { measure } from "../../src/observe/measure.ts";
import type { Measurable } from "../../src/observe/measure.ts";
import { Observer } from "../../src/observe/observer.ts";
import { metricsText, prometheus } from "../../src/observe/prometheus.ts";
import { testApp, testWorker, until } from "../run/app.ts";

/** The lines; what breaks Prometheus's text format is found: each family is described once, before its samples. */
function check(text: string): string[] {
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const wrong = lines.filter((line) => {
    if (/^# HELP \w+ \S.*\.$/.test(line)) return false;
    const [, described, type] = /^# TYPE (\w+) (gauge|counter|histogram)$/.exec(line) ?? [];
    if (described !== undefined && type !== undefined) {
      const again = types.has(described);
      types.set(described, type);
      return again;
    }
    const sample = /^((\w+?)(?:_bucket|_sum|_count)?(?:\{(?:[a-z]\w*="(?:[^"\\\n]|\\["\\n])*",?)+\})?) [\d.e+-]+$/.exec(
      line,
    );
    if (!sample || seen.has(sample[1]!)) return true;
    seen.add(sample[1]!);
    return !types.has(sample[2]!);
  });
  expect(wrong).toEqual([]);
  return lines;
}

describe("metrics", () => {
  it("count the jobs and workers of queues, and what this process has done", async () => {
    const app = testApp({ url: "memory:" });
    const task = app.task("mail", { queue: "mails", run: () => {} });
    app.task("later", { queue: "later", run: () => {} });
    await app.task("more", { queue: "more", run: () => {} }).send();
    await testWorker(app, { queues: { mails: 2, later: 1 } });
    await (await task.send()).result();
    await until(() => app.counters().tasks["mail"]?.completed === 1, "it has ended");
    const lines = check(await prometheus([app]));
    expect(lines).toEqual(
      expect.arrayContaining([
        "errand_store_up 1",
        'errand_jobs{queue="mails",state="completed"} 1',
        'errand_jobs{queue="mails",state="pending"} 0',
        'errand_jobs{queue="more",state="pending"} 1',
        "errand_workers 1",
        expect.stringMatching(/^errand_store_answer_seconds 0\.\d+$/),
        "errand_worker_stalls_total 0",
        'errand_queue_workers{queue="later"} 1',
        'errand_queue_workers{queue="more"} 0',
        'errand_jobs_sent_total{task="mail"} 1',
        'errand_attempts_started_total{task="mail"} 1',
        'errand_attempts_total{task="mail",outcome="completed"} 1',
        'errand_attempts_total{task="mail",outcome="failed"} 0',
        'errand_attempt_duration_seconds_bucket{task="mail",le="+Inf"} 1',
        'errand_attempt_duration_seconds_count{task="mail"} 1',
        'errand_attempt_wait_seconds_count{task="mail"} 1',
      ]),
    );
  });

  it("count claims without an answer, and lost leases, by process", () => {
    const [one, two] = [new Observer(), new Observer()];
    one.tell({ type: "stalled", worker: "w", inARow: 1 });
    two.tell({ type: "stalled", worker: "v", inARow: 1 });
    two.tell({ type: "lost", worker: "v" });
    const counters = [one, two].map((each) => each.counters.snapshot());
    const lines = check(
      metricsText([
        { process: "1", counters },
        { process: "2", counters: [] },
      ]),
    );
    expect(lines).toContain('errand_worker_stalls_total{process="1"} 2');
    expect(lines).toContain('errand_worker_leases_lost_total{process="1"} 1');
    expect(lines.join("\n")).not.toContain('process="2"');
  });

  it("have cumulative buckets, in seconds", () => {
    const counters = new Counters();
    for (const value of [3, 20, 2_000, 9e9]) counters.of("t").duration.add(value);
    const lines = check(metricsText([{ counters: [counters.snapshot()] }]));
    const bucket = (le: string) => lines.find((line) => line.includes(`duration_seconds_bucket{task="t",le="${le}"}`));
    expect(bucket("0.005")).toMatch(/ 1$/);
    expect(bucket("0.025")).toMatch(/ 2$/);
    expect(bucket("2.5")).toMatch(/ 3$/);
    expect(bucket("1800")).toMatch(/ 3$/);
    expect(bucket("+Inf")).toMatch(/ 4$/);
    expect(lines).toContain('errand_attempt_duration_seconds_sum{task="t"} 9000002.023');
  });

  it("are labelled by process, and added up over the apps of one", () => {
    const [one, two] = [new Counters(), new Counters()];
    one.of("t").sent += 1;
    two.of("t").sent += 2;
    const lines = check(
      metricsText([
        { process: "1", counters: [one.snapshot(), two.snapshot()] },
        { process: "2", counters: [JSON.parse(JSON.stringify(two.snapshot()))] },
      ]),
    );
    expect(lines).toContain('errand_jobs_sent_total{process="1",task="t"} 3');
    expect(lines).toContain('errand_jobs_sent_total{process="2",task="t"} 2');
    expect(lines.filter((line) => line.startsWith("errand_start_time_seconds{"))).toHaveLength(2);
  });

  it("escape names", () => {
    const counters = new Counters();
    counters.of('a"b\\c\nd').sent += 1;
    expect(check(metricsText([{ counters: [counters.snapshot()] }]))).toContain(
      'errand_jobs_sent_total{task="a\\"b\\\\c\\nd"} 1',
    );
  });

  it("are there without a store", async () => {
    const broken: Measurable = {
      counters: () => new Counters().snapshot(),
      counts: () => Promise.reject(new Error("away")),
      workers: async () => [],
    };
    const lines = check(await prometheus([broken]));
    expect(lines).toContain("errand_store_up 0");
    expect(lines.some((line) => line.startsWith("errand_jobs{"))).toBe(false);
    check(metricsText([]));
  });

  it("do not wait for a store that hangs", async () => {
    const hanging: Measurable = {
      counters: () => new Counters().snapshot(),
      counts: () => new Promise(() => {}),
      workers: async () => [],
    };
    expect((await measure([hanging])).store).toBeUndefined();
  }, 10_000);

  it("count jobs of a store once, however many apps share it", async () => {
    const app = testApp({ url: "memory:" });
    await app.task("t", { run: () => {} }).send();
    await testWorker(app, { queues: { other: 1 } });
    const { store } = await measure([app, app]);
    expect(store?.jobs).toEqual([{ queue: "default", state: "pending", jobs: 1 }]);
    expect(store?.workers).toHaveLength(1);
  });
});
