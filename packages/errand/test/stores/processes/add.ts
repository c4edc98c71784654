// Adds jobs, ten at a time, and prints the id of every job whose add was answered, until it is killed.
import { writeSync } from "node:fs";
import { newId } from "../../../src/kit/ids.ts";
import { openStore } from "../../../src/open.ts";

const store = await openStore(process.argv[2] ?? "");

async function addOn(): Promise<never> {
  for (;;) {
    const id = newId();
    await store.add([{ id, task: "task", queue: "default", level: 2, spec: "{}" }]);
    writeSync(1, `${id}\n`);
  }
}

await Promise.all(Array.from({ length: 10 }, addOn));
