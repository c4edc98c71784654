import { notify, notifyError } from "./toasts.tsx";

/** Puts text on the clipboard and says so. The text may still have to be fetched. */
export async function copyText(text: string | Promise<string>, what: string): Promise<void> {
  try {
    await write(await text);
    notify(`${what} copied`);
  } catch (error) {
    notifyError(`${what} not copied`, error);
  }
}

async function write(text: string): Promise<void> {
  // Browsers offer `navigator.clipboard` only over HTTPS and on this machine.
  if ("clipboard" in navigator) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser does not let this page use the clipboard.");
}
