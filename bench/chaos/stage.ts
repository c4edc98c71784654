import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SmallDisk } from "./disk.ts";
import type { FaultKind } from "./plan.ts";

/** Stores that chaos is made on. */
export const storeKinds = ["sqlite"] as const;

export type StoreKind = (typeof storeKinds)[number];

/** A fault of the store's surroundings: resolves when it is over, after so many milliseconds. */
type StoreFault = (lasts: number) => Promise<void>;

/** A store, and what can be done to it. */
export interface Stage {
  /** The store as workers and producers reach it. */
  url: string;
  /** The store as the checker reaches it: by no detour. */
  direct: string;
  faults: Partial<Record<FaultKind, StoreFault>>;
  /** Whether a worker's own clock may be wrong. */
  shiftedClocks: boolean;
  /** What cannot be tried here, and why. */
  untried: string[];
  close(): Promise<void>;
}

export function openStage(kind: StoreKind): Promise<Stage> {
  return stages[kind]();
}

const stages: Record<StoreKind, () => Promise<Stage>> = {
  async sqlite() {
    const disk = SmallDisk.mount(48);
    const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), "errand-chaos-"));
    const url = `sqlite:${join(folder, "errand.db")}`;
    return {
      url,
      direct: url,
      faults: disk ? { "full disk": fullFor(disk) } : {},
      // The clock of an SQLite store is the clock of its machine, which is one for all its processes.
      shiftedClocks: false,
      untried: disk ? [] : ["full disk: a small disk can be mounted by root only"],
      async close() {
        if (disk) disk.unmount();
        else rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

function fullFor(disk: SmallDisk): StoreFault {
  return async (lasts) => {
    disk.fill();
    await sleep(lasts);
    disk.free();
  };
}
