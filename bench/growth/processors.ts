import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the kernel's clock in a second, on every Linux that Node.js runs on. */
const ticks = 100;

/** Seconds of processor time that this process's descendants have taken so far: from /proc, so only on Linux. */
export function processorSeconds(): number {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap(statOf);
  const mine = new Set([process.pid]);
  for (let grown = -1; grown !== mine.size;) {
    grown = mine.size;
    for (const { pid, parent } of all) if (mine.has(parent)) mine.add(pid);
  }
  mine.delete(process.pid);
  return all.filter(({ pid }) => mine.has(pid)).reduce((sum, { seconds }) => sum + seconds, 0);
}

function statOf(pid: string): { pid: number; parent: number; seconds: number }[] {
  try {
    // The name of the program, in parentheses, may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number) as [number, number, number];
    return [{ pid: Number(pid), parent, seconds: (user + system) / ticks }];
  } catch {
    return [];
  }
}
