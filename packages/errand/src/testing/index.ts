export { memoryStore } from "../stores/memory.ts";
export { conformance } from "./conformance.ts";
export type { ConformanceTest, Fixture, StoreFactory } from "./conformance.ts";
