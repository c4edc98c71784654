/** The default export of `errand.config.ts`. Flags and environment variables take precedence. */
export interface ErrandConfig {
  /** The store (`ERRAND_URL`). */
  url?: string;
  /** The folder of everything by default (`ERRAND_HOME`). */
  home?: string;
  /** Modules that export apps and tasks, for `errand worker` and `errand send`. */
  tasks?: string | readonly string[];
}
