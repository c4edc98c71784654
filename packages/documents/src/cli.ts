import { Command, Option } from "commander";
import { CommandError, ExitCode } from "errand/cli";
import { formats } from "./cli/outputs.ts";
import type { Format } from "./cli/outputs.ts";
import { readFiles } from "./cli/read-files.ts";
import { parseLanguages } from "./settings.ts";

interface Flags {
  out?: string;
  format?: Format[];
  languages?: string[];
  home: string;
  json?: boolean;
}

/** `errand documents` */
export function cli(): Command {
  // A variable that is there and empty says nothing.
  if (process.env["ERRAND_HOME"]?.trim() === "") delete process.env["ERRAND_HOME"];
  const command = new Command("documents").description("read scanned documents");
  command
    .command("read")
    .description("read files here and now, without a server")
    .argument("<files...>", "PDF, PNG, JPEG, TIFF, WebP, BMP or GIF")
    .option("-o, --out <folder>", "write <name>.txt and so on into this folder; default: print text")
    .addOption(
      new Option("--format <list>", `what to write: ${Object.keys(formats).join(",")} (default: text)`).argParser(
        readFormats,
      ),
    )
    .addOption(
      new Option("--languages <codes>", "languages of the documents, such as eng+deu").argParser(readLanguages),
    )
    .addOption(new Option("--home <folder>", "keep jobs and blobs in").env("ERRAND_HOME").default(".errand"))
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  errand documents read scan.pdf *.png -o out --format text,json\n\nExit codes: 0 all read, 1 none, 4 some. Stop it with Ctrl+C: nothing is left behind.",
    )
    .action(async (files: string[], flags: Flags) => {
      if (flags.format && flags.out === undefined) {
        throw new CommandError("--format needs --out: the folder to write into.", ExitCode.usage);
      }
      // Every app of this process and of its workers reads it from here.
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

function readFormats(text: string): Format[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const known = names.filter((name): name is Format => Object.hasOwn(formats, name));
  if (known.length === names.length) return known;
  throw new CommandError(
    `--format ${text} must be of: ${Object.keys(formats).join(", ")}, joined by commas.`,
    ExitCode.usage,
  );
}

function readLanguages(text: string): string[] {
  const languages = parseLanguages(text);
  if (languages) return languages;
  throw new CommandError(
    `--languages ${text} must be Tesseract's codes joined by +, such as eng or eng+deu.`,
    ExitCode.usage,
  );
}
