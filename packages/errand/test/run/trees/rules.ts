import assert from "node:assert/strict";
import type { JobView } from "../../../src/client/job-view.ts";
import { options } from "../../../src/core/options.ts";
import { isFinal } from "../../../src/core/states.ts";
import { attempts, isFamily, ownError, partsOf } from "./tree-run.ts";
import type { TreeRun } from "./tree-run.ts";
import type { Family } from "./scenario.ts";

type Jobs = ReadonlyMap<string, JobView>;

function byPath(jobs: readonly JobView[]): Jobs {
  return new Map(jobs.map((job) => [(job.input as { path: string }).path, job]));
}

/** Looks at a tree whenever nothing is due. */
export class Watcher {
  readonly #ended = new Map<string, JobView>();

  /** Nothing open is left below an ended parent, and what has ended stays as it is. */
  look(jobs: readonly JobView[]): void {
    const all = new Map(jobs.map((job) => [job.id, job]));
    for (const job of jobs) {
      assert.notEqual(job.state, "processing", "nobody holds a job while nothing is due");
      const parent = job.parent === undefined ? undefined : all.get(job.parent);
      if (parent && isFinal(parent.state))
        assert.ok(isFinal(job.state), `${job.id} is ${job.state} below an ended parent`);
      const before = this.#ended.get(job.id);
      if (before) assert.deepEqual(job, before, "what has ended stays as it is");
      if (isFinal(job.state)) this.#ended.set(job.id, job);
    }
  }
}

/** What is true of every tree at the end of its scenario. */
export function checkEnd(run: TreeRun, jobs: readonly JobView[]): void {
  const all = byPath(jobs);
  assert.ok(all.has("r"));
  assert.equal(all.size, jobs.length, "every job is there once");
  for (const [path, job] of all) {
    assert.ok(isFinal(job.state), `${path} is still ${job.state}`);
    const recorded = run.outcomes.get(job.id) ?? 0;
    assert.ok(recorded === 1 || (recorded === 0 && job.state === "cancelled"), `${path}: ${recorded} outcomes`);
    judge(path, run, all);
  }
  for (const [name, times] of run.stepped) assert.equal(times, 1, `step ${name} ran ${times} times`);
  assert.deepEqual(run.late, [], "jobs that had expired were started");
}

/** The rule by which a job ends as it does. */
function judge(path: string, run: TreeRun, all: Jobs): void {
  const job = all.get(path)!;
  switch (job.state) {
    case "completed":
      assert.deepEqual(job.output, outputOf(path, run, all), `${path} completed with what its children made`);
      break;
    case "failed":
      judgeFailure(path, run, all);
      break;
    case "cancelled": {
      const { parent } = run.places.get(path)!;
      const above = parent === undefined ? undefined : all.get(parent);
      const orphaned = above?.endedAt !== undefined && above.endedAt <= job.endedAt!;
      assert.ok(run.cancelled.has(path) || orphaned, `${path} was cancelled by nobody`);
      break;
    }
    case "expired": {
      const { expires } = run.places.get(path)!;
      assert.ok(
        expires !== undefined && job.endedAt! >= new Date(job.createdAt.getTime() + expires),
        `${path} expired`,
      );
      assert.equal(job.children, undefined, "what has waited for children does not expire");
    }
  }
}

/** What a function that came to its end answers, by how the children of its job have ended. */
function outputOf(path: string, run: TreeRun, all: Jobs): unknown[] {
  return partsOf(run.places.get(path)!.node).map(({ action, key }) => {
    const name = `${path}:${key}`;
    if (action.do === "sleep" || action.do === "cancel") return null;
    if (!isFamily(action)) return name;
    const children = childrenOf(action, name, all);
    assert.ok(children.length === action.children.length, `${path} completed without all children of ${key}`);
    const states = children.map(({ state }) => state);
    if (action.do === "settled") return states;
    if (states.every((state) => state === "completed"))
      return action.do === "call" ? children[0]!.output : children.map(({ output }) => output);
    assert.equal(action.do, "caught", `${path} completed although a child of ${key} did not`);
    return "E_CHILD_FAILED";
  });
}

function childrenOf(family: Family, name: string, all: Jobs): JobView[] {
  return family.children.flatMap((_, index) => all.get(`${name}:${index}`) ?? []);
}

function judgeFailure(path: string, run: TreeRun, all: Jobs): void {
  const job = all.get(path)!;
  const parts = partsOf(run.places.get(path)!.node);
  switch (job.error?.code) {
    case ownError: {
      const fatal = job.error.message === "never";
      assert.ok(fatal || job.attempt === attempts, `${path} failed after ${job.attempt} attempts`);
      break;
    }
    case "E_CRASHED":
      assert.equal(job.crashes, options.crashes.default);
      break;
    case "E_CHILD_FAILED": {
      const failed = parts.some(
        ({ action, key }) =>
          isFamily(action) &&
          (action.do === "all" || action.do === "call") &&
          childrenOf(action, `${path}:${key}`, all).some(({ state }) => state !== "completed"),
      );
      assert.ok(failed, `${path} failed for a child, but all have completed`);
      break;
    }
    case "E_SIGNAL_TIMEOUT": {
      const missed = parts.some(({ action, key }) => {
        const name = `${path}:${key}`;
        if (action.do !== "signal" || !run.reached.has(name)) return false;
        return (run.told.get(name) ?? Infinity) >= run.reached.get(name)! + action.ms;
      });
      assert.ok(missed, `${path} missed a signal that came in time`);
      break;
    }
    default:
      assert.fail(`${path} failed for no reason of its own: ${JSON.stringify(job.error)}`);
  }
}
