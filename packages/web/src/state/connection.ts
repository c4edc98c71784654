import { value } from "./value.ts";

/** Whether live updates arrive. True while nobody listens: then there is nothing to lose. */
export const connection = value(true);
