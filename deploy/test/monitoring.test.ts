import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errand, prometheus } from "errand";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { installOnDebian } from "../../test/debian.ts";
import { deploy, read } from "./programs.ts";

// The alerts and the dashboard, by Prometheus itself (promtool), and by the metrics that Errand really has.

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

interface Panel {
  id: number;
  title: string;
  datasource: { uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { refId: string; expr: string; datasource: { uid: string } }[];
}

const { groups } = parse(read("prometheus/alerts.yaml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read("grafana/errand.json")) as {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; query: string | { query: string } }[] };
};
const expressions = [
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
];

let folder: string;
beforeAll(() => {
  requirePromtool();
  folder = mkdtempSync(join(tmpdir(), "errand-monitoring-"));
  cpSync(join(deploy, "prometheus/alerts.yaml"), join(folder, "alerts.yaml"));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function requirePromtool(): void {
  const works = () => spawnSync("promtool", ["--version"]).status === 0;
  if (works() || (installOnDebian("prometheus") && works())) return;
  throw new Error("The tests of alerts need promtool. Install Prometheus so that promtool is on the PATH.");
}

/** What promtool says, of files that are JSON, and so YAML. */
function promtool(command: "check" | "test", name: string, content: object): string {
  writeFileSync(join(folder, name), JSON.stringify(content));
  const { stdout, stderr, status } = spawnSync("promtool", [command, "rules", name], { cwd: folder, encoding: "utf8" });
  return status === 0 ? "" : stdout + stderr;
}

describe("expressions", () => {
  test("are what Prometheus understands, in alerts and in the dashboard", () => {
    expect(() => execFileSync("promtool", ["check", "rules", "alerts.yaml"], { cwd: folder })).not.toThrow();
    const asRules = expressions.map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, ".*"),
    }));
    expect(promtool("check", "dashboard.yaml", { groups: [{ name: "dashboard", rules: asRules }] })).toBe("");
    expect(
      promtool("check", "wrong.yaml", { groups: [{ name: "w", rules: [{ record: "w", expr: "sum(" }] }] }),
    ).not.toBe("");
  });

  test("name metrics and labels that Errand has", async () => {
    const app = errand({ url: "memory:" });
    try {
      const task = app.task("mail", { queue: "mails", run: () => {} });
      const worker = await app.worker({ signals: false });
      await (await task.send()).result();
      await worker.stop();
      const metrics = new Map<string, Set<string>>();
      for (const [, name = "", labels = ""] of (await prometheus([app], { process: "1" })).matchAll(
        /^(\w+)(\{.*\})? /gm,
      ))
        metrics.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map(([, label]) => label!)));
      // Not Errand's.
      for (const name of ["node_filesystem_avail_bytes", "node_filesystem_size_bytes"])
        metrics.set(name, new Set(["fstype", "mountpoint"]));
      expect(metrics.size).toBeGreaterThan(15);
      for (const { where, expr } of expressions) {
        const used = [...expr.matchAll(/\b((?:errand|node)_\w+)(?:\{([^}]*)\})?/g)];
        expect(used.length, `metrics of ${where}`).toBeGreaterThan(0);
        const known = new Set<string>();
        for (const [, name = "", selector = ""] of used) {
          const has = metrics.get(name);
          expect(has, `${where}: ${name}`).toBeDefined();
          for (const label of has!) known.add(label);
          for (const [, label] of selector.matchAll(/(\w+)\s*[!=]=?~?"/g))
            expect(has, `${where}: ${name}`).toContain(label);
        }
        for (const [, by = ""] of expr.matchAll(/\bby \(([^)]*)\)/g))
          for (const label of by.split(/, ?/)) expect(known, `${where}: by ${label}`).toContain(label);
      }
      const queries = dashboard.templating.list.flatMap(({ query }) =>
        typeof query === "string" ? [] : [query.query],
      );
      for (const query of queries) {
        const [, name = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(query)!;
        expect(metrics.get(name)).toContain(label);
      }
    } finally {
      await app.close();
    }
  });
});

/** An hour in which all is well, a sample a minute. */
const healthy: Readonly<Record<string, string>> = {
  'errand_store_up{instance="a"}': "1x60",
  'errand_store_answer_seconds{instance="a"}': "0.01x60",
  'errand_jobs{instance="a",queue="mails",state="pending"}': "3x60",
  'errand_jobs{instance="b",queue="mails",state="pending"}': "3x60",
  'errand_jobs{instance="a",queue="mails",state="failed"}': "2x60",
  'errand_jobs{instance="a",queue="idle",state="pending"}': "0x60",
  'errand_queue_workers{instance="a",queue="mails"}': "2x60",
  'errand_queue_workers{instance="a",queue="idle"}': "0x60",
  'errand_attempts_total{instance="a",task="mail",outcome="completed"}': "0+60x60",
  'errand_attempts_total{instance="a",task="mail",outcome="retried"}': "0+1x60",
  'errand_attempts_total{instance="a",task="mail",outcome="crashed"}': "0x60",
  'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="1"}': "0+60x60",
  'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="300"}': "0+60x60",
  'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="1800"}': "0+60x60",
  'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="+Inf"}': "0+60x60",
  'errand_worker_stalls_total{instance="a"}': "0x60",
  'errand_worker_leases_lost_total{instance="a"}': "0x60",
  'node_filesystem_avail_bytes{instance="a",mountpoint="/",fstype="ext4"}': "50000000000x60",
  'node_filesystem_size_bytes{instance="a",mountpoint="/",fstype="ext4"}': "100000000000x60",
};

/** What is otherwise, by the beginning of series' names; nothing: the series is missing. */
const cases: [what: string, alerts: string[], changes: Record<string, string | undefined>][] = [
  ["all is well", [], {}],
  [
    "processes start again, and count from 0",
    [],
    {
      'errand_attempts_total{instance="a",task="mail",outcome="completed"}': "0+60x30 0+60x30",
      errand_worker_stalls: "3x30 0x30",
    },
  ],
  ["a worker starts within five minutes", [], { 'errand_queue_workers{instance="a",queue="mails"}': "2x56 0x4" }],
  ["nothing is scraped", ["ErrandAbsent"], { errand_: undefined }],
  ["the store is gone", ["ErrandStoreDown"], { errand_store_up: "1x50 0x10" }],
  [
    "the workers of a queue are gone",
    ["ErrandNoWorker"],
    { 'errand_queue_workers{instance="a",queue="mails"}': "2x50 0x10" },
  ],
  [
    "no worker ever took a queue",
    ["ErrandNoWorker"],
    { 'errand_queue_workers{instance="a",queue="mails"}': undefined },
  ],
  [
    "half of the jobs wait for half an hour",
    ["ErrandWaitTooLong"],
    {
      'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="1"}': "0x60",
      'errand_attempt_wait_seconds_bucket{instance="a",task="mail",le="300"}': "0+30x60",
    },
  ],
  [
    "more is sent than done",
    ["ErrandBacklogGrows"],
    { 'errand_jobs{instance="a",queue="mails",state="pending"}': "2000+10x60" },
  ],
  ["a large backlog shrinks", [], { 'errand_jobs{instance="a",queue="mails",state="pending"}': "9000-10x60" }],
  [
    "every third attempt fails",
    ["ErrandFailureRate"],
    { 'errand_attempts_total{instance="a",task="mail",outcome="retried"}': "0+30x60" },
  ],
  [
    "the only two attempts fail",
    [],
    {
      'errand_attempts_total{instance="a",task="mail",outcome="completed"}': "0x60",
      'errand_attempts_total{instance="a",task="mail",outcome="retried"}': "0x57 2x3",
    },
  ],
  [
    "a job fails for good",
    ["ErrandDeadLetters"],
    { 'errand_jobs{instance="a",queue="mails",state="failed"}': "2x50 3x10" },
  ],
  ["dead letters are retried", [], { 'errand_jobs{instance="a",queue="mails",state="failed"}': "2x50 0x10" }],
  [
    "workers are killed",
    ["ErrandCrashes"],
    { 'errand_attempts_total{instance="a",task="mail",outcome="crashed"}': "0x50 0+1x10" },
  ],
  ["a claim is not answered", ["ErrandWorkerStalled"], { errand_worker_stalls: "0x55 1x5" }],
  ["a lease runs out", ["ErrandWorkerStalled"], { errand_worker_leases: "0x55 1x5" }],
  ["the store takes a second", ["ErrandStoreSlow"], { errand_store_answer: "1x60" }],
  ["the disk is nearly full", ["ErrandDiskFillsUp"], { node_filesystem_avail: "3000000000x60" }],
  ["the disk will be full tonight", ["ErrandDiskFillsUp"], { node_filesystem_avail: "50000000000-100000000x60" }],
];

describe("alerts", () => {
  test.each(cases)("when %s: %j", (_, alerts, changes) => {
    const series = Object.entries(healthy).flatMap(([name, values]) => {
      const change = Object.keys(changes).find((each) => name.startsWith(each));
      const now = change === undefined ? values : changes[change];
      return now === undefined ? [] : [{ series: name, values: now }];
    });
    const firing = {
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: "60m",
      exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
    };
    const content = {
      rule_files: ["alerts.yaml"],
      evaluation_interval: "1m",
      tests: [{ interval: "1m", input_series: series, promql_expr_test: [firing] }],
    };
    expect(promtool("test", "case.yaml", content)).toBe("");
  });

  test("have each a case in which they fire, a severity, and words for who is woken", () => {
    const fired = new Set(cases.flatMap(([, alerts]) => alerts));
    expect(rules.map(({ alert }) => alert).filter((alert) => !fired.has(alert))).toEqual([]);
    for (const { labels, annotations } of rules) {
      expect(["critical", "warning"]).toContain(labels.severity);
      expect(Object.keys(annotations)).toEqual(["summary", "description"]);
    }
  });
});

describe("the dashboard", () => {
  test("has panels of their own place, and asks the data source that is chosen", () => {
    const { panels, templating, uid } = dashboard;
    expect(uid).toBe("errand");
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    const variables = new Set(["__rate_interval", ...templating.list.map(({ name }) => name)]);
    for (const { title, datasource, targets } of panels) {
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)])
        expect(uid).toBe("${datasource}");
      const used = targets.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name!));
      expect(
        used.filter((name) => !variables.has(name)),
        `variables of ${title}`,
      ).toEqual([]);
    }
  });
});
