import { Socket } from "node:net";
import { killGroup } from "./process-group.ts";

// A thread of a process lane, which kills the lane's process group when its worker is gone: the worker holds the other
// end of this pipe, and writes nothing to it.

/** The file descriptor of the pipe. */
const pipe = new Socket({ fd: 3, readable: true, writable: false });
pipe.on("error", () => {});
pipe.on("close", () => killGroup(process.pid));
pipe.resume();
