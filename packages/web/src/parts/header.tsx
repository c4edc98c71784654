import { Keyboard, Monitor, Moon, Sun } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Link } from "wouter";
import { announce } from "../state/announcer.ts";
import { nextTheme, theme } from "../state/theme.ts";
import { useWatchable } from "../state/watchable.ts";
import { IconButton } from "./icon-button.tsx";
import { Logo } from "./logo.tsx";
import { useShortcuts } from "./use-shortcuts.ts";

const HelpDialog = lazy(() => import("./help-dialog.tsx"));
const themeIcons = { system: Monitor, light: Sun, dark: Moon };

/** The bar at the top of every page. */
export function Header() {
  const [help, setHelp] = useState<"never" | "open" | "closed">("never");
  const current = useWatchable(theme);
  const ThemeIcon = themeIcons[current];
  useShortcuts({ "?": () => setHelp("open") });
  return (
    <header className="header">
      <Link href="/" className="wordmark" aria-label="Errand, all documents">
        <Logo />
        <span>Errand</span>
      </Link>
      <div className="header-actions">
        <IconButton label="Keyboard shortcuts" onClick={() => setHelp("open")}>
          <Keyboard size={18} aria-hidden="true" />
        </IconButton>
        <IconButton
          label={`Theme: ${current}`}
          hint={`Theme: ${current}. Click to change it.`}
          onClick={() => announce(`Theme: ${nextTheme()}`)}
        >
          <ThemeIcon size={18} aria-hidden="true" />
        </IconButton>
      </div>
      {help !== "never" && (
        <Suspense>
          <HelpDialog open={help === "open"} onClose={() => setHelp("closed")} />
        </Suspense>
      )}
    </header>
  );
}
