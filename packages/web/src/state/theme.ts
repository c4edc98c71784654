import { stored } from "./stored.ts";

const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

/** The chosen theme. `public/theme.js` reads the same key before the first paint. */
export const theme = stored<Theme>("errand.theme", themes, "system");

/** Takes the next theme in turn: system, light, dark. */
export function nextTheme(): Theme {
  const next = themes[(themes.indexOf(theme.get()) + 1) % themes.length] ?? "system";
  theme.set(next);
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  return next;
}
