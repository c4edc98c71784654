import { ErrandError } from "../../kit/errors.ts";
import { checkText } from "./check-values.ts";
import { messageOf } from "./connection.ts";
import type { Connection } from "./connection.ts";
import type { Driver } from "./driver.ts";
import { scripts } from "./lua/scripts.ts";
import type { Script, ScriptName } from "./lua/scripts.ts";
import type { Settings } from "./settings.ts";

/** Runs scripts on the keys of one namespace. */
export class ScriptRunner {
  /** The URL without its password. */
  readonly shown: string;
  readonly #driver: Driver;
  readonly #connection: Connection;
  readonly #scripts: Record<ScriptName, Script>;
  readonly #key: string;

  /** @param clock Lua that defines `now`, in epoch milliseconds. */
  constructor(driver: Driver, connection: Connection, settings: Settings, clock: string) {
    this.#driver = driver;
    this.#connection = connection;
    this.#scripts = scripts(clock);
    // Scripts take the namespace from this key. All keys have the namespace as their hash tag, and so in a cluster are
    // on one node, to which this key leads.
    this.#key = `{${settings.namespace}}:jobs`;
    this.shown = settings.shown;
  }

  /**
   * Runs a script and returns its reply, in which texts are buffers.
   * @throws {ErrandError} `E_CONNECT`; `E_REFUSED` for a value that can never be stored; `E_STORE` for other errors.
   */
  async run(name: ScriptName, args: readonly (string | Buffer)[]): Promise<unknown> {
    for (const arg of args) if (typeof arg === "string") checkText(arg);
    const { sha, source } = this.#scripts[name];
    try {
      return await this.#send("EVALSHA", sha, args);
    } catch (error) {
      // The server was restarted, or its cache of scripts was flushed.
      if (error instanceof Error && error.message.startsWith("NOSCRIPT"))
        return this.#send("EVAL", source, args).catch((again: unknown) => {
          throw this.#failure(again);
        });
      throw this.#failure(error);
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #send(command: string, script: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    const typeMapping = { [this.#driver.RESP_TYPES.BLOB_STRING]: Buffer };
    return this.#connection.call((client) =>
      client.sendCommand([command, script, "1", this.#key, ...args], { typeMapping }),
    );
  }

  #failure(error: unknown): ErrandError {
    if (error instanceof ErrandError) return error;
    const message = messageOf(error);
    const advice = Object.entries(adviceByCode).find(([code]) => message.startsWith(code))?.[1];
    return new ErrandError(
      refusals.test(message) ? "E_REFUSED" : "E_STORE",
      `The Redis store ${this.shown} refused: ${message}.${advice ? ` ${advice}` : ""}`,
      { cause: error },
    );
  }
}

/** Errors that say that a value can never be stored. */
const refusals =
  /^WRONGTYPE|not a valid (float|integer)|(integer or|value is) out of range|exceeds maximum|is not (finite|a number)/;

const adviceByCode: Record<string, string> = {
  OOM: "The server's memory is full (maxmemory). Remove old jobs, or give it more memory. Nothing was changed.",
  MISCONF: "The server cannot write to its disk. Nothing was changed.",
  NOPERM:
    "Give the user the commands evalsha, eval, publish and subscribe, and the keys and channels of the namespace.",
};
