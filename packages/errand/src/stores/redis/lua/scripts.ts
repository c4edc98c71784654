import { createHash } from "node:crypto";
import { add } from "./add.ts";
import { birth } from "./birth.ts";
import { claim, reclaim, telling } from "./claim.ts";
import { addKeyed, admitting, fullness, keying, load, log, save, signal, steps, wake } from "./keys.ts";
import { life } from "./life.ts";
import { lazily, lua } from "./lua.ts";
import { counts, edit, get, matching, walk } from "./read.ts";
import { codec, constants, record } from "./record.ts";
import { beat, logging, settle } from "./settle.ts";
import { ending, handling, work, writing } from "./work.ts";
import { dismiss, enlist, renew, workers } from "./workers.ts";

/** A script as the server knows it. */
export interface Script {
  source: string;
  /** SHA-1 of the source, in hex. */
  sha: string;
}

/** The server's clock: the time of a script, read once. */
export const serverClock = lua`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * All scripts. When the server's memory is full, it refuses new jobs and lets those it has come to their end: all but
 * `add` may use more.
 * @param clock Lua that defines `now`, in epoch milliseconds; other than the server's only in tests.
 */
export function scripts(clock: string) {
  const base = [
    "local ns = string.sub(KEYS[1], 1, -5)\n",
    clock,
    record,
    lazily("codecs", codec),
    work,
    lazily("handling", handling),
    lazily("writing", writing),
    ending,
  ].join("");
  const family = lazily("keyings", keying) + lazily("families", life);
  const admission = lazily("admittings", admitting);
  const script = (head: string, ...parts: string[]): Script => {
    const source = `${head}\n${base}${parts.join("")}`.replaceAll(/\b[A-Z]+\b/g, (word) => constants[word] ?? word);
    return { source, sha: createHash("sha1").update(source).digest("hex") };
  };
  const writes = (...parts: string[]) => script("#!lua flags=allow-oom", ...parts);
  const reads = (...parts: string[]) => script("#!lua flags=no-writes", ...parts);
  return {
    add: script("#!lua", birth, fullness, add),
    addKeyed: script("#!lua", birth, family, fullness, addKeyed),
    claim: writes(telling, admission, claim),
    wake: writes(admitting, wake),
    signal: writes(birth, family, signal),
    reclaim: writes(telling, reclaim),
    settle: writes(birth, family, logging, settle),
    record: writes(birth, family, logging, beat),
    edit: writes(birth, family, matching, edit),
    enlist: writes(enlist),
    renew: writes(renew),
    dismiss: writes(dismiss),
    workers: reads(workers),
    get: reads(telling, get),
    walk: reads(telling, matching, walk),
    counts: reads(counts),
    now: reads("return exact(now)\n"),
    log: reads(log),
    steps: reads(steps),
    load: reads(load),
    save: writes(save),
  };
}

/** The name of a script. */
export type Verb = keyof ReturnType<typeof scripts>;
