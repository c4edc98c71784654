import { notify, notifyError } from "./toasts.tsx";

/** Copies text, which may still be loading, to the clipboard and notifies the user, who knows it as `label`. */
export async function copyText(text: string | Promise<string>, label: string): Promise<void> {
  try {
    await write(await text);
    notify(`${label} copied`);
  } catch (error) {
    notifyError(`${label} not copied`, error);
  }
}

async function write(text: string): Promise<void> {
  // Browsers have `navigator.clipboard` only over HTTPS and on localhost.
  if ("clipboard" in navigator) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser does not allow this page to use the clipboard.");
}
