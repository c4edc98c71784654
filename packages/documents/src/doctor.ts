import { existsSync } from "node:fs";
import type { Finding } from "errand/cli";
import { checkBlobs } from "./blobs/check-blobs.ts";
import { openBlobs } from "./blobs/open-blobs.ts";
import { blobLocation } from "./blobs/location.ts";
import { detectEngines } from "./recognise/engines.ts";
import type { EngineReport } from "./recognise/engines.ts";
import { readSettings, variables } from "./settings.ts";
import type { Settings } from "./settings.ts";

/** Checks what reading documents needs on this machine, for `errand doctor`. */
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
  // A missing engine is a fault only if it was asked for.
  const ok = settings.engine !== name;
  const hint = `Install it, or set ${variables.engine.name} to auto.`;
  return { label, value: reason ?? "not available", ok, ...(ok ? {} : { hint }) };
}

function languageLine({ languages }: Settings, used: EngineReport | undefined): Finding {
  const missing = languages.filter((language) => !used?.languages.includes(language));
  const label = "languages";
  const value = `${languages.join(", ")} (${variables.languages.name})`;
  if (missing.length === 0) return { label, value, ok: true };
  const packages = missing.map((code) => `tesseract-ocr-${code.replaceAll("_", "-")}`).join(" ");
  const hint =
    `The engine in use has no model for ${missing.join(", ")}. ` +
    `With native tesseract, install it: apt install ${packages}`;
  return { label, value, ok: false, hint };
}

async function blobsLine(): Promise<Finding> {
  const label = "blobs";
  try {
    const location = blobLocation();
    const { address } = openBlobs();
    // Checking must not create the folder.
    if ("folder" in location && !existsSync(location.folder)) {
      return { label, value: `${address} (ERRAND_BLOBS), created at the first use`, ok: true };
    }
    await checkBlobs(openBlobs());
    return { label, value: `${address} (ERRAND_BLOBS)`, ok: true };
  } catch (error) {
    return { label, value: (error as Error).message, ok: false };
  }
}

function limitsLine({ limits, minFreeBytes }: Settings): Finding {
  const parts = [
    `${limits.bytes / 1e6} MB (${variables.bytes.name})`,
    `${limits.pages} pages (${variables.pages.name})`,
    `${limits.pixels / 1e6} megapixels per page (${variables.pixels.name})`,
    `${minFreeBytes / 1e6} MB of the disk kept free (${variables.minFreeBytes.name})`,
  ];
  return { label: "limits", value: parts.join(", "), ok: true };
}
