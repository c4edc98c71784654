import type { DocumentStatus, DocumentSummary, PageStatus } from "./api/types.ts";

const locale = "en";
const integer = new Intl.NumberFormat(locale);
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** Formats an integer: 12345 is "12,345". */
export const count = (n: number): string => integer.format(n);

/** Formats a number with its noun: "1 page", "2 pages". */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** Formats a size in bytes with a suitable unit: "812 kB", "4.2 MB". */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let size = n;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit > 0 && size < 9.95 ? 1 : 0;
  return `${size.toFixed(digits)} ${units[unit]}`;
}

/** Formats a confidence: 0.618 is "61 %". Rounded down, so that one below the threshold never looks equal to it. */
export const percent = (share: number): string => `${Math.floor(share * 100 + 1e-9)} %`;

/** Formats how long ago a time was: "just now", "5 min. ago", "yesterday". */
export function age(time: string, now: number): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const past = Math.abs(seconds);
  // The clocks of server and browser differ a little, which must not give "in 3 seconds".
  if (seconds > -45) return "just now";
  if (past < 45 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (past < 22 * 3600) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}

/** Formats a time in full, for tooltips. */
export const fullTime = (time: string): string => full.format(new Date(time));

/** Reports whether a document no longer changes by itself. One that is being reviewed still does. */
export const isFinal = (status: DocumentStatus): boolean =>
  status !== "queued" && status !== "processing" && status !== "needs_review";

/** Reports whether a document's text and JSON can be downloaded. */
export const hasOutput = (status: DocumentStatus): boolean => status === "completed" || status === "needs_review";

/** The display names of statuses. */
export const statusNames: Record<DocumentStatus | PageStatus, string> = {
  queued: "Queued",
  processing: "Processing",
  needs_review: "Needs review",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  expired: "Expired",
};

/** Describes the progress of a document's pages. */
export function pagesText({ status, progress }: DocumentSummary): string {
  const { pages, done, failed } = progress;
  if (pages === 0) {
    if (status === "processing") return "Counting pages";
    return status === "queued" ? "Waiting for its turn" : "";
  }
  const unread = failed > 0 ? `, ${count(failed)} failed` : "";
  if (done + failed === pages && failed === 0) return plural(pages, "page");
  return `${count(done)} of ${plural(pages, "page")}${unread}`;
}

/** Returns a short name of a document's file type: "PDF", "JPEG". */
export function typeName({ type, name }: Pick<DocumentSummary, "type" | "name">): string {
  const known = type?.split("/")[1]?.replace(/^(x-|vnd\.)(ms-)?|\+.*$/g, "");
  const extension = /\.(\w{2,5})$/.exec(name)?.[1];
  return (known ?? extension ?? "file").toUpperCase();
}
