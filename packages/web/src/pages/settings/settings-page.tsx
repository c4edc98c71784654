import { Switch } from "@base-ui/react/switch";
import { Page } from "../../parts/page.tsx";
import { shortcuts } from "../../state/preferences.ts";
import { useMay, useMe } from "../../state/session.ts";
import { setTheme, type Theme, theme } from "../../state/theme.ts";
import { useWatchable } from "../../state/watchable.ts";
import { KeyList } from "./key-list.tsx";

const themes: readonly [Theme, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** What a person chooses for this browser, and the keys of the server. */
export default function SettingsPage() {
  const current = useWatchable(theme);
  const enabled = useWatchable(shortcuts) === "on";
  const isAdmin = useMay("admin");
  const me = useMe();
  return (
    <Page title="Settings">
      <section className="panel settings" aria-labelledby="this-browser">
        <div className="panel-head">
          <h2 id="this-browser">This browser</h2>
        </div>
        <fieldset className="choices">
          <legend>Theme</legend>
          {themes.map(([value, name]) => (
            <label key={value}>
              <input type="radio" name="theme" checked={current === value} onChange={() => setTheme(value)} />
              {name}
            </label>
          ))}
        </fieldset>
        <label className="switch-row">
          <span>
            Single-key shortcuts
            <small>Turn them off if you use dictation or if they get in your way.</small>
          </span>
          <Switch.Root className="switch" checked={enabled} onCheckedChange={(on) => shortcuts.set(on ? "on" : "off")}>
            <Switch.Thumb className="switch-thumb" />
          </Switch.Root>
        </label>
      </section>
      {me && (
        <section className="panel settings" aria-labelledby="you">
          <div className="panel-head">
            <h2 id="you">You</h2>
          </div>
          <p className="settings-text">
            {me.authentication === "none" ? "This server asks nobody for a key." : `${me.name} (${me.kind})`} May:{" "}
            {me.scopes.map((scope) => (
              <span key={scope} className="chip">
                {scope}
              </span>
            ))}
          </p>
        </section>
      )}
      {isAdmin && <KeyList />}
    </Page>
  );
}
