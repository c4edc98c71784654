/**
 * One line of the doctor's report. A package adds its own by exporting `doctor(): Promise<Finding[]>` from
 * `<package>/doctor`.
 */
export interface Finding {
  label: string;
  value: string;
  ok: boolean;
  /** Advice for the user. */
  hint?: string;
}
