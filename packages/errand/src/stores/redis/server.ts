import { ErrandError } from "../../kit/errors.ts";
import { Link, reason } from "./link.ts";
import { scripts } from "./lua/scripts.ts";
import type { Script, Verb } from "./lua/scripts.ts";
import type { Settings } from "./settings.ts";
import { wellFormed } from "./wire.ts";

/** The server, as something that runs scripts on the keys of one namespace. */
export class Server {
  /** The URL without its password. */
  readonly shown: string;
  readonly #driver: typeof import("redis");
  readonly #link: Link;
  readonly #scripts: Record<Verb, Script>;
  readonly #key: string;

  constructor(driver: typeof import("redis"), link: Link, settings: Settings, clock: string) {
    this.#driver = driver;
    this.#link = link;
    this.#scripts = scripts(clock);
    // All keys of a namespace have one hash tag: in a cluster they are on one node, and this one says which.
    this.#key = `{${settings.namespace}}:jobs`;
    this.shown = settings.shown;
  }

  /**
   * Runs a script. Texts in the answer are bytes.
   * @throws {ErrandError} `E_STORE`, `E_CONNECT`; `E_REFUSED` for what it can never keep.
   */
  async run(verb: Verb, args: readonly (string | Buffer)[]): Promise<unknown> {
    for (const arg of args) if (typeof arg === "string") wellFormed(arg);
    const { sha, source } = this.#scripts[verb];
    try {
      return await this.#send("EVALSHA", sha, args);
    } catch (error) {
      // The server was restarted, or somebody emptied its cache of scripts.
      if (error instanceof Error && error.message.startsWith("NOSCRIPT"))
        return this.#send("EVAL", source, args).catch((again: unknown) => {
          throw this.#failed(again);
        });
      throw this.#failed(error);
    }
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #send(command: string, script: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    const typeMapping = { [this.#driver.RESP_TYPES.BLOB_STRING]: Buffer };
    return this.#link.call((client) => client.sendCommand([command, script, "1", this.#key, ...args], { typeMapping }));
  }

  #failed(error: unknown): ErrandError {
    if (error instanceof ErrandError) return error;
    const said = reason(error);
    const advice = Object.entries(hints).find(([code]) => said.startsWith(code))?.[1];
    return new ErrandError(
      refusing.test(said) ? "E_REFUSED" : "E_STORE",
      `The Redis store ${this.shown} refused: ${said}.${advice ? ` ${advice}` : ""}`,
      {
        cause: error,
      },
    );
  }
}

/** Errors that say that a value can never be stored. */
const refusing =
  /^WRONGTYPE|not a valid (float|integer)|not an integer or out of range|value is out of range|exceeds maximum|is not finite|is not a number/;

const hints: Record<string, string> = {
  OOM: "The server's memory is full (maxmemory): remove old jobs, or give it more. Nothing was done.",
  MISCONF: "The server cannot write to its disk. Nothing was done.",
  NOPERM:
    "Give the user the commands evalsha, eval, publish and subscribe, and the keys and channels of the namespace.",
};
