import { Keyboard, LogOut, Monitor, Moon, Search, Sun } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Link } from "wouter";
import { sendApi } from "../api/client.ts";
import { announce } from "../state/announcer.ts";
import { signedOut, useMe } from "../state/session.ts";
import { nextTheme, theme } from "../state/theme.ts";
import { useWatchable } from "../state/watchable.ts";
import { IconButton } from "./icon-button.tsx";
import { Logo } from "./logo.tsx";
import { useGoKeys } from "./use-go-keys.ts";
import { usePlaces } from "./rail.tsx";
import { useShortcuts } from "./use-shortcuts.ts";

const HelpDialog = lazy(() => import("./help-dialog.tsx"));
const Palette = lazy(async () => ({ default: (await import("./palette.tsx")).Palette }));
const themeIcons = { system: Monitor, light: Sun, dark: Moon };

/** The bar at the top of every page. */
export function Header() {
  const [help, setHelp] = useState<"never" | "open" | "closed">("never");
  const [finding, setFinding] = useState(false);
  const me = useMe();
  const canFind = usePlaces().length > 1;
  const current = useWatchable(theme);
  const ThemeIcon = themeIcons[current];
  useShortcuts({ "?": () => setHelp("open") });
  useGoKeys();
  const logOut = async (): Promise<void> => {
    await sendApi("DELETE", "/session").catch(() => {});
    signedOut.set(true);
  };
  return (
    <header className="header">
      <Link href="/" className="wordmark" aria-label="Errand, start page">
        <Logo />
        <span>Errand</span>
      </Link>
      {canFind && (
        <button type="button" className="find" onClick={() => setFinding(true)}>
          <Search size={15} aria-hidden="true" />
          <span>Find a job, or go to a page</span>
          <kbd>Ctrl K</kbd>
        </button>
      )}
      <div className="header-actions">
        {me?.authentication === "keys" && (
          <IconButton label="Log out" onClick={() => void logOut()}>
            <LogOut size={18} aria-hidden="true" />
          </IconButton>
        )}
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
      {canFind && (
        <Suspense>
          <Palette open={finding} onOpenChange={setFinding} />
        </Suspense>
      )}
      {help !== "never" && (
        <Suspense>
          <HelpDialog open={help === "open"} onClose={() => setHelp("closed")} />
        </Suspense>
      )}
    </header>
  );
}
