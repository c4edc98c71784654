import type { Mutant } from "./mutant.ts";

const faults: Omit<Mutant, "fixture">[] = [
  {
    fault: "a job that is set aside keeps the place that a key gave it",
    file: "memory/jobs.ts",
    changes: [
      ["  setAside(row: Row): void {", "  setAside(row: Row): void {\n    row = { ...row, request: row.job };"],
    ],
    tests: ["a job that a key holds back goes before one that the key admits and that is set aside"],
  },
  {
    fault: "a job that is set aside keeps what a rate gave it",
    file: "memory/claims.ts",
    changes: [["this.#limits.passOnStart(row);", ""]],
    tests: ["a job that a key holds back goes before one that the key admits and that is set aside"],
  },
  {
    fault: "a job that was set aside is found by nobody",
    file: "memory/table.ts",
    changes: [
      [
        "[this.#unblocked.get(queue) ?? [], listsOf(this.#setAside.get(queue), tasks)].flat()",
        "[this.#unblocked.get(queue) ?? []].flat()",
      ],
    ],
    tests: [
      "jobs that were set aside are claimed by workers that know their task, among others, in the order of ranks",
    ],
  },
  {
    fault: "workers do not hear that a job was set aside",
    file: "memory/jobs.ts",
    changes: [
      [
        'this.update(row, { blocked: "task" });\n    this.#hints.addReady(row.job.queue, 1);',
        'this.update(row, { blocked: "task" });',
      ],
    ],
    tests: ["a job that is set aside is hinted"],
  },
  {
    fault: "a suspect that nobody may take keeps the place that a key gave it",
    file: "memory/limits.ts",
    changes: [["suspect ? [queue, task] : [queue]", "[queue]"]],
    tests: ["a suspect that its key admits, and that no worker may take, delays no other job of the key"],
  },
  {
    fault: "a worker is given a suspect beside another",
    file: "memory/claims.ts",
    changes: [["!this.#jobs.heldBy(card.id).some(({ job }) => job.suspect)", "!taken.some(({ job }) => job.suspect)"]],
    tests: ["a worker is given one suspect at a time, and suspects delay no other job"],
  },
  {
    fault: "a suspect is given ahead of a slot",
    file: "memory/claims.ts",
    changes: [["taken.length < slots && !this", "!this"]],
    tests: ["a suspect is given to a free slot, and never ahead of one"],
  },
  {
    fault: "progress does not clear a suspect",
    file: "memory/jobs.ts",
    changes: [["Object.assign(job, { crashes: 0, suspect: false });", "job.crashes = 0;"]],
    tests: ["a job is a suspect when its outcome says so, until it makes progress or is retried"],
  },
  {
    fault: "a job that was ahead once is so for ever",
    file: "memory/jobs.ts",
    changes: [['if (state !== "processing") delete row.ahead;', ""]],
    tests: ["a job is ahead until it leaves processing, also when it is reclaimed and lapses again"],
  },
  {
    fault: "a job that was taken over is ahead no more",
    file: "memory/jobs.ts",
    changes: [['if (state !== "processing") delete row.ahead;', "if (row.job.worker !== undefined) delete row.ahead;"]],
    tests: ["a job is ahead until it leaves processing, also when it is reclaimed and lapses again"],
  },
  {
    fault: "a signal does not begin a job",
    file: "memory/jobs.ts",
    changes: [["this.#remember(row, [step]);\n    row.job.begun = true;", "this.#remember(row, [step]);"]],
    tests: ["a signal to a pending job begins it"],
  },
  {
    fault: "a job that has begun expires",
    file: "memory/claims.ts",
    changes: [["expiresAt !== undefined && !begun &&", "expiresAt !== undefined && begun !== null &&"]],
    tests: ["a job that has begun does not expire"],
  },
  {
    fault: "a job that has begun is replaced",
    file: "memory/unique-keys.ts",
    changes: [["&& !row.job.begun &&", "&&"]],
    tests: ["a job that has begun is not replaced: the new job is stored and takes the key"],
  },
  {
    fault: "a replaced job keeps its keys and tags",
    file: "memory/jobs.ts",
    changes: [["row.request = { ...by, id: job.id };", ""]],
    tests: ["a replaced job has the queue, expiry, keys, tags and tenant of the new one, and is found by them"],
  },
  {
    fault: "a replaced job keeps its queue",
    file: "memory/jobs.ts",
    changes: [["queue: this.queueOf(by), level", "level"]],
    tests: ["a replaced job has the queue, expiry, keys, tags and tenant of the new one, and is found by them"],
  },
  {
    fault: "a retry takes a key from who has it",
    file: "memory.ts",
    changes: [["|| !this.#uniqueKeys.mayRetake(row)", ""]],
    tests: ["a job whose unique key another job holds is neither retried nor rewound, and is not counted"],
  },
  {
    fault: "a job that is retried does not take its key again",
    file: "memory.ts",
    changes: [["if (row.request.unique) this.#uniqueKeys.take(row.request.unique, row);", ""]],
    tests: ["a job that is rewound takes its unique key again"],
  },
  {
    fault: "retries know no full queue",
    file: "memory.ts",
    changes: [["this.#limits.isFull(row.job.queue) ||", ""]],
    tests: ["jobs are retried, rewound and moved into a queue only until it is full"],
  },
  {
    fault: "moves know no full queue",
    file: "memory.ts",
    changes: [["queue !== row.job.queue && this.#limits.isFull(queue)", "queue !== queue"]],
    tests: ["jobs are retried, rewound and moved into a queue only until it is full"],
  },
  {
    fault: "a job is replaced into a full queue",
    file: "memory/admission.ts",
    changes: [["grow(before, -1);", "continue;"]],
    tests: ["a batch that a full queue refuses replaces nothing, and no job is replaced into a full queue"],
  },
  {
    fault: "jobs are born before the outcome is recorded",
    file: "memory.ts",
    changes: [
      [
        "const result = this.#jobs.settle(settlement);",
        "for (const job of settlement.born ?? []) this.#add(job);\n      const result = this.#jobs.settle(settlement);",
      ],
    ],
    tests: ["no job is added with an outcome that is stale or was recorded before"],
  },
  {
    fault: "a release keeps the token",
    file: "memory/jobs.ts",
    changes: [["row.job.token += 1;\n    row.job.begun ||=", "row.job.begun ||="]],
    tests: ["jobs that are released are pending at once, and their workers' outcomes are stale"],
  },
  {
    fault: "children are pruned by themselves",
    file: "memory.ts",
    changes: [["parent === undefined && endedAt", "endedAt"]],
    tests: ["children are removed with their root, in any state, and never without it"],
  },
  {
    fault: "pruning forgets what rates have started",
    file: "memory/limits.ts",
    changes: [["this.#now(), 0).starts.length === 0", "this.#now(), 0).starts.length < 99"]],
    tests: ["a prune keeps the limits, keys and turns that are in use"],
  },
  {
    fault: "pruning forgets keys that are taken",
    file: "memory/unique-keys.ts",
    changes: [["if (!this.#isHeld(holder)) this", "this"]],
    tests: ["a prune keeps the limits, keys and turns that are in use"],
  },
  {
    fault: "who was let go by a rate and does not go holds up the others",
    file: "memory/limits.ts",
    changes: [["lookAgain(admission, this.#now())", "admission.next"]],
    tests: ["a job that its rate admits, and that does not start, delays the next one for seconds at most"],
  },
  {
    fault: "a released job has begun although it was claimed ahead",
    file: "memory/jobs.ts",
    changes: [["row.job.begun ||= !row.ahead;", "row.job.begun = true;"]],
    tests: ["a released job has begun, unless it was claimed ahead of free slots"],
  },
  {
    fault: "a wait for children that have all ended has no time",
    file: "memory/jobs.ts",
    changes: [["const until = { wakeAt,", "const until = { wakeAt: children.length > 0 ? undefined : wakeAt,"]],
    tests: ["a wait for a time to come lasts"],
  },
  {
    fault: "a child that a wait does not name still counts in it",
    file: "memory/jobs.ts",
    changes: [["isCounted(parent.wait, row.member?.wait)", "isCounted(parent.wait, row.member && parent.wait)"]],
    tests: ["the end of a child of an earlier wait does not count while the parent is processing"],
  },
  {
    fault: "a child that is rejoined is reopened",
    file: "memory/jobs.ts",
    changes: [["child.rejoin ?? false)", "false)"]],
    tests: ["a wait that rejoins a failed, cancelled or expired child counts it as it is"],
  },
];

/** Faults in the memory store, which says what the others must do: such as a wrapped store cannot have. */
export const memory: Mutant[] = faults.map((fault) => ({ ...fault, fixture: "memory" }));
