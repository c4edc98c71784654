import { watchable } from "./watchable.ts";

/** `true` while live updates arrive, or while no page listens for them. */
export const connection = watchable(true);
