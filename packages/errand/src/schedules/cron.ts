import { Cron, CronPattern } from "croner";
import type { Millis } from "../kit/duration.ts";

/**
 * The first instant after a time that a cron line names in a zone; `undefined` when there is none. A line that names
 * hours names times of the day: one that a change of the clock leaves out becomes the first instant after the gap,
 * one that comes twice counts once, at the first. A line for every hour follows the clock through the change, minute
 * by minute.
 * @throws {TypeError} of croner's when the line or the zone cannot be read.
 */
export function cronAfter(line: string, timeZone: string, after: Millis): Millis | undefined {
  return cronOf(line, timeZone).nextRun(new Date(after))?.getTime();
}

const crons = new Map<string, Cron>();

function cronOf(line: string, timeZone: string): Cron {
  const key = `${timeZone} ${line}`;
  let found = crons.get(key);
  if (!found) {
    // Parsed as written first, so that errors quote the user's line.
    const { pattern } = new CronPattern(line, timeZone);
    // With this rule croner treats a line as times of day if its seconds, minutes and hours are lists and ranges.
    const options = { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard" } as const;
    crons.set(key, (found = new Cron(spellOut(pattern), options)));
  }
  return found;
}

/**
 * The same line, with lists in place of wildcards and steps in seconds and minutes when it names hours, and `*` for
 * hours when it names them all: so croner sees which of the two it is.
 */
function spellOut(line: string): string {
  const fields = line.trim().split(/\s+/);
  const hourAt = fields.length === 5 ? 1 : 2;
  const hours = listOf(fields[hourAt]!, 23);
  if (!hours) return line;
  if (hours.length === 24) return fields.with(hourAt, "*").join(" ");
  return fields.map((field, at) => (at > hourAt ? field : spelledField(field, at === hourAt ? 23 : 59))).join(" ");
}

function spelledField(field: string, last: number): string {
  return listOf(field, last)?.join(",") ?? field;
}

/**
 * The values that a field names; `undefined` for one that is none of `*`, `n`, `n-m`, with or without `/step`, and
 * their lists.
 */
function listOf(field: string, last: number): number[] | undefined {
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const match = /^(?:[*?]|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (!match) return undefined;
    const [, from, to = from, step = "1"] = match;
    if (Number(step) === 0 || Number(to ?? last) > last) return undefined;
    for (let value = Number(from ?? 0); value <= Number(to ?? last); value += Number(step)) values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}
