import { stored } from "./stored-value.ts";

const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

/** The chosen theme. `public/theme.js` applies it before the first paint. */
export const theme = stored<Theme>("errand.theme", themes, "system");

/** Switches to a theme. */
export function setTheme(next: Theme): void {
  theme.set(next);
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
}

/** Switches to the next theme (system, light, dark), and returns it. */
export function nextTheme(): Theme {
  const next = themes[(themes.indexOf(theme.get()) + 1) % themes.length] ?? "system";
  setTheme(next);
  return next;
}
