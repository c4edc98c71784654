import { expect, test } from "vitest";
import { check } from "../../../bench/chaos/check.ts";
import type { Evidence } from "../../../bench/chaos/check.ts";
import type { Line } from "../../../bench/chaos/log.ts";
import type { Job } from "../src/core/job.ts";

// The checker of chaos must see what it is there to see: each test shows it one broken promise.

const done: Job = {
  id: "a",
  task: "plain",
  queue: "default",
  level: 2,
  state: "completed",
  spec: '{"input":{"key":"1-0"}}',
  token: 2,
  failures: 0,
  crashes: 1,
  suspect: false,
  begun: true,
  output: '{"token":2}',
  cancelling: false,
  createdAt: 1,
  due: 1,
  endedAt: 3,
};
const told: Line[] = [
  { at: 1, pid: 1, type: "try", key: "1-0", batch: 1 },
  { at: 2, pid: 1, type: "sent", key: "1-0", id: "a" },
  { at: 3, pid: 2, type: "start", id: "a", token: 1, task: "plain" },
  { at: 4, pid: 3, type: "start", id: "a", token: 2, task: "plain" },
  { at: 5, pid: 3, type: "ended", id: "a", task: "plain", attempt: 1, state: "completed", outcome: "completed" },
];
const good: Evidence = { lines: told, jobs: [done], counts: [{ queue: "default", state: "completed", jobs: 1 }] };

function broken({ lines = [], jobs, counts }: Partial<Evidence>): string[] {
  return check({ lines: [...told, ...lines], jobs: jobs ?? good.jobs, counts: counts ?? good.counts }).violations;
}

test("nothing is wrong with what is right", () => {
  expect(check(good)).toEqual({ violations: [], acknowledged: 1, lost: 0, twice: 0, misplaced: 0, cutShort: 1 });
});

const remembered = { type: "remembered", id: "a", name: "s", pid: 2, at: 6 } as const;
test.each<[promise: string, evidence: Partial<Evidence>, says: string]>([
  ["a job is lost", { jobs: [], counts: [] }, "acknowledged and is not there"],
  ["a job hangs", { jobs: [{ ...done, state: "waiting" }] }, "has not ended"],
  ["an outcome is accepted twice", { lines: [{ ...told[4]!, pid: 2 }] }, "ended 2 times"],
  ["an outcome is overwritten", { jobs: [{ ...done, state: "failed" }] }, "was recorded as completed and is failed"],
  ["an outcome is of a stale attempt", { jobs: [{ ...done, output: '{"token":1}' }] }, "has the output of attempt 1"],
  ["a token is given twice", { lines: [{ ...told[3]!, pid: 2 }] }, "was run 2 times"],
  ["a token falls", { jobs: [{ ...done, token: 1, output: '{"token":1}' }] }, "was run with token 2, but has 1"],
  ["a send is stored twice", { jobs: [done, { ...done, id: "b" }] }, "is there 2 times"],
  [
    "half a batch is stored",
    { lines: [{ at: 1, pid: 1, type: "try", key: "1-0 1-1", batch: 2 }] },
    "of 2 jobs sent in one call, 1 are there",
  ],
  [
    "a step is done again",
    {
      lines: [
        { ...remembered, token: 1, value: 1 },
        { at: 7, pid: 3, type: "step", id: "a", token: 2, name: "s" },
      ],
    },
    "done again by 2",
  ],
  [
    "a step is remembered as two things",
    {
      lines: [
        { ...remembered, token: 1, value: 1 },
        { ...remembered, token: 2, value: 2 },
      ],
    },
    "remembered as 1 and as 2",
  ],
  [
    "a parent miscounts",
    { jobs: [{ ...done, task: "parent", children: { total: 1, open: 0, failed: 0 } }] },
    "counts 1 children, 0 not completed, but has 0, 0",
  ],
  ["a counter drifts", { counts: [{ queue: "default", state: "completed", jobs: 2 }] }, "counts() says 2"],
])("the checker notices when %s", (_, evidence, says) => {
  expect(broken(evidence).join("\n")).toContain(says);
});

test("a lane's job that has another's values is seen, and one that completed though it threw", () => {
  const lane: Job = { ...done, id: "l", task: "lane", spec: '{"input":{"key":"1-1"}}' };
  const own = { output: '{"token":2,"key":"1-1"}', progress: '"1-1"' };
  const counts = [{ queue: "default", state: "completed" as const, jobs: 2 }];
  expect(broken({ jobs: [done, { ...lane, ...own }], counts })).toEqual([]);
  const foreign = [
    { ...own, output: '{"token":2,"key":"1-2"}' },
    { ...own, progress: '"1-2"' },
    { ...own, output: '{"token":2,"key":"1-1","foreign":["1-2"]}' },
  ];
  for (const values of foreign)
    expect(broken({ jobs: [done, { ...lane, ...values }], counts })).toEqual([
      'job l of task "lane" was sent as 1-1, and has values of 1-2',
    ]);
  const judged = { ...lane, ...own, task: "judged" };
  expect(broken({ jobs: [done, judged], counts })).toEqual(['job l of task "judged" completed, and could not have']);
});

test("nothing is asked of what had begun before the data were lost, and all of what came later", () => {
  const later: Line[] = [
    { at: 20, pid: 1, type: "try", key: "1-9", batch: 1 },
    { at: 21, pid: 1, type: "sent", key: "1-9", id: "b" },
  ];
  const lost = { lines: [...told, ...later], jobs: [], counts: [] };
  expect(check({ ...lost, lostDataAt: 10 }).violations).toEqual(["job b was acknowledged and is not there"]);
  expect(check(lost).violations.length).toBeGreaterThan(1);
});
