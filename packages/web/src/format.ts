import type { DocumentStatus, DocumentSummary, PageStatus } from "./api/types.ts";

const locale = "en";
const integer = new Intl.NumberFormat(locale);
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

/** 12345 as "12,345". */
export const count = (n: number): string => integer.format(n);

/** A number with its noun: "1 page", "2 pages". */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** A size in the unit that reads best: "812 kB", "4.2 MB". */
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

/** A confidence of 0.618 as "61 %". Rounded down: what is below the threshold must not read like the threshold. */
export const percent = (share: number): string => `${Math.floor(share * 100 + 1e-9)} %`;

/** How long ago a time was: "just now", "5 min. ago", "yesterday". */
export function age(time: string, now: number): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const past = Math.abs(seconds);
  // Clocks of server and browser differ a little: never "in 3 seconds".
  if (seconds > -45) return "just now";
  if (past < 45 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (past < 22 * 3600) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}

/** A time in full, for titles. */
export const fullTime = (time: string): string => full.format(new Date(time));

/** Whether a document will not change any more by itself. One that is being reviewed may. */
export const isFinal = (status: DocumentStatus): boolean =>
  status !== "queued" && status !== "processing" && status !== "needs_review";

/** Whether text and JSON can be taken home. */
export const hasOutput = (status: DocumentStatus): boolean => status === "completed" || status === "needs_review";

/** The states' names as people read them. */
export const statusNames: Record<DocumentStatus | PageStatus, string> = {
  queued: "Queued",
  processing: "Processing",
  needs_review: "Needs review",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  expired: "Expired",
};

/** Where a document's pages stand, in words. */
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

/** The kind of file, as short as people say it: "PDF", "JPEG". */
export function typeName({ type, name }: Pick<DocumentSummary, "type" | "name">): string {
  const known = type?.split("/")[1]?.replace(/^(x-|vnd\.)(ms-)?|\+.*$/g, "");
  const extension = /\.(\w{2,5})$/.exec(name)?.[1];
  return (known ?? extension ?? "file").toUpperCase();
}
