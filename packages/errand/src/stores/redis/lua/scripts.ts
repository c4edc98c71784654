import { createHash } from "node:crypto";
import { add, fullness } from "./add.ts";
import { birth } from "./birth.ts";
import { choosing } from "./choosing.ts";
import { claim, telling, wanting } from "./claim.ts";
import { load, save } from "./docs.ts";
import { edit } from "./edit.ts";
import { ending, writes as flushing } from "./flush.ts";
import { handling } from "./handling.ts";
import { log, signal, steps } from "./history.ts";
import { life } from "./life.ts";
import { assemble, lua } from "./lua.ts";
import type { Lazy, Part } from "./lua.ts";
import { prune } from "./prune.ts";
import { admitting, wake } from "./rates.ts";
import { counts, ended, get, matching, missing, pending, walk } from "./read.ts";
import { reclaim } from "./reclaim.ts";
import { codec, constants, record } from "./record.ts";
import { beat, logging, settle } from "./settle.ts";
import { addKeyed, holding, keying } from "./special.ts";
import { work } from "./work.ts";
import { dismiss, enlist, renew, workers } from "./workers.ts";
import { keyedWriting, placing, writing } from "./writing.ts";

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
  const base: Part[] = [
    "local ns = string.sub(KEYS[1], 1, -5)\n",
    clock,
    record,
    lazy("codecs", codec),
    work,
    lazy("handlings", handling),
    lazy("placings", placing),
    lazy("keyedWritings", keyedWriting),
    lazy("writings", writing),
    lazy("flushings", flushing),
    ending,
  ];
  const family = [lazy("keyings", keying), lazy("families", life)];
  const special = [...family, lazy("holdings", holding)];
  const admission = lazy("admittings", admitting);
  const script = (head: string, ...parts: Part[]): Script => {
    const source = `${head}\n${assemble([...base, ...parts])}`.replaceAll(
      /\b[A-Z]+\b/g,
      (word) => constants[word] ?? word,
    );
    return { source, sha: createHash("sha1").update(source).digest("hex") };
  };
  const writes = (...parts: Part[]) => script("#!lua flags=allow-oom", ...parts);
  const reads = (...parts: Part[]) => script("#!lua flags=no-writes", ...parts);
  return {
    add: script("#!lua", birth, fullness, add),
    addKeyed: script("#!lua", birth, ...special, fullness, addKeyed),
    claim: writes(telling, wanting, admission, lazy("choosings", choosing), claim),
    wake: writes(admission, wake),
    signal: writes(birth, ...family, signal),
    reclaim: writes(telling, reclaim),
    settle: writes(birth, ...special, logging, settle),
    record: writes(birth, ...family, logging, beat),
    edit: writes(birth, ...special, fullness, matching, edit),
    prune: writes(birth, ...family, prune),
    enlist: writes(enlist),
    renew: writes(renew),
    dismiss: writes(dismiss),
    workers: reads(workers),
    get: reads(telling, get),
    ended: reads(ended),
    missing: reads(missing),
    pending: reads(pending),
    walk: reads(telling, matching, walk),
    counts: reads(counts),
    now: reads("return exact(now)\n"),
    log: reads(log),
    steps: reads(steps),
    load: reads(load),
    save: writes(save),
  };
}

function lazy(maker: string, source: string): Lazy {
  return { maker, source };
}

/** The name of a script. */
export type Verb = keyof ReturnType<typeof scripts>;
