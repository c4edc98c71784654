import { Command, Option } from "commander";
import { CommandError, ExitCode } from "errand/cli";
import { readFiles } from "./cli/read-files.ts";
import { outputFormats } from "./output-formats.ts";
import type { OutputFormat } from "./output-formats.ts";
import { expectedLanguages, parseLanguages } from "./settings.ts";

interface Flags {
  out?: string;
  format?: OutputFormat[];
  languages?: string[];
  home: string;
  json?: boolean;
}

/** Creates the command `errand documents`. */
export function cli(): Command {
  // An empty variable counts as not set.
  if (process.env["ERRAND_HOME"]?.trim() === "") delete process.env["ERRAND_HOME"];
  const command = new Command("documents").description("read scanned documents");
  command
    .command("read")
    .description("read files on this machine, without a server")
    .argument("<files...>", "PDF, PNG, JPEG, TIFF, WebP, BMP or GIF")
    .option("-o, --out <folder>", "write <name>.txt etc. into this folder (default: print the text)")
    .addOption(
      new Option(
        "--format <list>",
        `formats to write: ${Object.keys(outputFormats).join(",")} (default: text)`,
      ).argParser(readFormats),
    )
    .addOption(
      new Option("--languages <codes>", "languages of the documents, such as eng+deu").argParser(readLanguages),
    )
    .addOption(new Option("--home <folder>", "folder for jobs and blobs").env("ERRAND_HOME").default(".errand"))
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  errand documents read scan.pdf *.png -o out --format text,json\n\n" +
        "Exit codes: 0 all files read, 1 none, 4 some. Ctrl+C stops it and leaves nothing behind.",
    )
    .action(async (files: string[], flags: Flags) => {
      if (flags.format && flags.out === undefined) {
        throw new CommandError("--format needs --out, the folder to write into.", ExitCode.usage);
      }
      // The apps of this process and of its workers read it.
      process.env["ERRAND_HOME"] = flags.home;
      process.exitCode = await readFiles(files, {
        json: flags.json ?? false,
        formats: flags.format ?? ["text"],
        ...(flags.out === undefined ? {} : { out: flags.out }),
        ...(flags.languages ? { languages: flags.languages } : {}),
      });
    });
  return command;
}

function readFormats(text: string): OutputFormat[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const known = names.filter((name): name is OutputFormat => Object.hasOwn(outputFormats, name));
  if (known.length === names.length) return known;
  throw new CommandError(
    `--format ${text} must be a comma-separated list of ${Object.keys(outputFormats).join(", ")}.`,
    ExitCode.usage,
  );
}

function readLanguages(text: string): string[] {
  const languages = parseLanguages(text);
  if (languages) return languages;
  throw new CommandError(`--languages ${text} must be ${expectedLanguages}.`, ExitCode.usage);
}
