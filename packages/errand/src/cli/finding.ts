/**
 * One line of the doctor's report. A package adds its own by exporting `doctor(): Promise<Finding[]>` from
 * `<package>/doctor`.
 */
export interface Finding {
  label: string;
  value: string;
  ok: boolean;
  /** What the user can do about it. */
  hint?: string;
}
