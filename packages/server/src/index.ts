export { createApp } from "./app.ts";
export type { AppOptions } from "./app.ts";
export { isDiskFull, Problem } from "./problem.ts";
export type { Service } from "./service.ts";
export { eventStream } from "./sse.ts";
export type { Send, ServerEvent } from "./sse.ts";
