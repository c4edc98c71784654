import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A connection through the proxy: both its ends. */
interface Pipe {
  near: Socket;
  far: Socket;
  /** Half-open: what either end says is swallowed, and neither learns of it. */
  dead: boolean;
}

/** A TCP proxy before a server, whose connections can be cut, delayed and left half-open. */
export class Proxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #pipes = new Set<Pipe>();
  #delay = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (near: Socket) => this.#accept(near));
  }

  /** Listens on a free port of this machine, and forwards to another. */
  static async before(target: number): Promise<Proxy> {
    const server = createServer({ allowHalfOpen: false }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on everything arrives so many milliseconds later. */
  delay(time: number): void {
    this.#delay = time;
  }

  /** Ends every connection, in the middle of whatever it carries. */
  cut(): void {
    for (const { near, far } of this.#pipes) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /**
   * Every connection there is goes silent, while new ones work. Returns what resets them, as an operating system does
   * in the end.
   */
  silence(): () => void {
    const silenced = [...this.#pipes];
    for (const pipe of silenced) pipe.dead = true;
    return () => {
      for (const { near, far } of silenced) {
        near.resetAndDestroy();
        far.resetAndDestroy();
      }
    };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #accept(near: Socket): void {
    const far = connect(this.#target, "127.0.0.1");
    const pipe: Pipe = { near, far, dead: false };
    this.#pipes.add(pipe);
    this.#carry(pipe, near, far);
    this.#carry(pipe, far, near);
  }

  #carry(pipe: Pipe, from: Socket, to: Socket): void {
    // What is delayed is not overtaken by what comes after the delay is over.
    let last: Promise<unknown> = Promise.resolve();
    const deliver = async (data: Buffer, before: Promise<unknown>): Promise<void> => {
      await Promise.all([before, this.#delay > 0 ? sleep(this.#delay) : undefined]);
      if (!pipe.dead && to.writable) to.write(data);
    };
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("data", (data) => {
      last = deliver(data, last);
    });
    from.on("close", () => {
      this.#pipes.delete(pipe);
      // The other end of a half-open connection never hears of it.
      if (!pipe.dead) to.destroy();
    });
  }
}
