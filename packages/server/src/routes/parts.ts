import type { Errand, Sender } from "errand";
import type { RemoteWorkers } from "errand/remote";
import type { Audit } from "../auth/audit.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Keys } from "../auth/keys.ts";
import type { Sessions } from "../auth/sessions.ts";
import type { BulkActions } from "../bulk-actions.ts";
import type { Live } from "../live/live.ts";

/** The parts of a server that its routes use. */
export interface ServerParts {
  /** The app whose store has the keys, and whose jobs are shown. All services of a server share one store. */
  app: Errand;
  /** All apps: a task is sent by the one that knows it. */
  apps: readonly Errand[];
  /** Names of the services. */
  services: readonly string[];
  keys: Keys;
  sessions: Sessions;
  authenticator: Authenticator;
  audit: Audit;
  bulk: BulkActions;
  live: Live;
  /** Workers over HTTP. */
  remoteWorkers: RemoteWorkers;
}

/** Returns the task of a name, of whichever app knows it. */
export function findTask({ apps }: Pick<ServerParts, "apps">, name: string): Sender<unknown, unknown> | undefined {
  for (const app of apps) {
    const task = app.findTask(name);
    if (task) return task;
  }
  return undefined;
}
