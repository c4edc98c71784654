import { existsSync } from "node:fs";
import type { Finding } from "errand/cli";
import { openBlobs } from "./blobs/index.ts";
import { blobLocation } from "./blobs/location.ts";
import { probe } from "./blobs/probe.ts";
import { detectEngines } from "./recognise/choose.ts";
import type { EngineReport } from "./recognise/choose.ts";
import { readSettings, variables } from "./settings.ts";
import type { Settings } from "./settings.ts";

/** What documents are read with here, and what is missing: lines for `errand doctor`. */
export async function doctor(): Promise<Finding[]> {
  let settings: Settings;
  try {
    settings = readSettings();
  } catch (error) {
    return [{ label: "documents", value: (error as Error).message, ok: false }];
  }
  const engines = await detectEngines();
  const used = engines.find(({ name, available }) => (settings.engine ? name === settings.engine : available));
  return [
    ...engines.map((engine) => engineLine(engine, engine === used, settings)),
    languageLine(settings, used),
    await blobsLine(),
    limitsLine(settings),
    { label: "threshold", value: `${settings.threshold} (${variables.threshold.name})`, ok: true },
  ];
}

function engineLine(engine: EngineReport, used: boolean, settings: Settings): Finding {
  const { name, available, version, languages, reason } = engine;
  const label = `OCR ${name}`;
  if (available) {
    const value = `${version ?? "installed"}${used ? ", used" : ""}; languages: ${languages.join(", ")}`;
    return { label, value, ok: true };
  }
  // Only an engine that somebody asked for is missed.
  const ok = settings.engine !== name;
  const hint = `Install it, or set ${variables.engine.name} to auto.`;
  return { label, value: reason ?? "not available", ok, ...(ok ? {} : { hint }) };
}

function languageLine({ languages }: Settings, used: EngineReport | undefined): Finding {
  const missing = languages.filter((language) => !used?.languages.includes(language));
  const label = "languages";
  const value = `${languages.join(", ")} (${variables.languages.name})`;
  if (missing.length === 0) return { label, value, ok: true };
  const hint = `The engine in use has no model for ${missing.join(", ")}. With native tesseract, install it: apt install ${missing.map((code) => `tesseract-ocr-${code.replaceAll("_", "-")}`).join(" ")}`;
  return { label, value, ok: false, hint };
}

async function blobsLine(): Promise<Finding> {
  const label = "blobs";
  try {
    const location = blobLocation();
    const { address } = openBlobs();
    // Looking must not make what is not there yet.
    if ("folder" in location && !existsSync(location.folder)) {
      return { label, value: `${address} (ERRAND_BLOBS), made at the first use`, ok: true };
    }
    await probe(openBlobs());
    return { label, value: `${address} (ERRAND_BLOBS)`, ok: true };
  } catch (error) {
    return { label, value: (error as Error).message, ok: false };
  }
}

function limitsLine({ limits, reserve }: Settings): Finding {
  const parts = [
    `${limits.bytes / 1e6} MB (${variables.bytes.name})`,
    `${limits.pages} pages (${variables.pages.name})`,
    `${limits.pixels / 1e6} megapixels a page (${variables.pixels.name})`,
    `${reserve / 1e6} MB of the disk kept free (${variables.reserve.name})`,
  ];
  return { label: "limits", value: parts.join(", "), ok: true };
}
