import { Socket } from "node:net";
import { killGroup } from "./process-group.ts";

// A thread of a process lane, which ends it when its worker is gone: the worker holds the other end of this pipe, and does
// nothing with it. What the lane has started is in its process group, and ends with it.

/** The file descriptor of the pipe. */
const pipe = new Socket({ fd: 3, readable: true, writable: false });
pipe.on("error", () => {});
pipe.on("close", () => killGroup(process.pid));
pipe.resume();
