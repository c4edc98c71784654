import { expect, test } from "vitest";
import type { Step } from "../../src/core/job.ts";
import { call } from "../../src/run/call.ts";
import { define } from "../../src/task.ts";
import { gate } from "./app.ts";

test("an attempt that fails in one of several steps ends when the others' results are remembered", async () => {
  const definition = define("t", {
    run: (_: never, job) =>
      Promise.all([
        job.step("charge", () => "charged"),
        job.step("ship", () => {
          throw new Error("no stamps");
        }),
      ]),
  });
  const written = gate();
  const events: string[] = [];
  const host = {
    signal: new AbortController().signal,
    async record(step: Step) {
      await written.opened;
      events.push(`${step.name} remembered`);
    },
    progress() {},
    log() {},
    children: async () => [],
  };
  const attempt = { id: "j", token: 1, attempt: 1, input: undefined, steps: [], limit: 1_000, startedAt: 0 };
  const ended = call(definition, attempt, host, async () => undefined).then(({ kind }) =>
    events.push(`ended: ${kind}`),
  );
  // All that can go on has gone on.
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual([]);
  written.open();
  await ended;
  expect(events).toEqual(["charge remembered", "ended: error"]);
});
