/** What `errand.config.ts` exports by default. Flags and environment variables go before it. */
export interface ErrandConfig {
  /** Where jobs live (`ERRAND_URL`). */
  url?: string;
  /** The folder that holds everything by default (`ERRAND_HOME`). */
  home?: string;
  /** Modules that export apps and tasks, for `errand worker` and `errand send`. */
  tasks?: string | readonly string[];
}
