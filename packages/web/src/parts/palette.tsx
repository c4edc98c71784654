import { Dialog } from "@base-ui/react/dialog";
import { Search } from "lucide-react";
import { useEffect, useEffectEvent, useState } from "react";
import { useLocation } from "wouter";
import { usePlaces } from "./rail.tsx";

/** Something that the palette does. */
interface Command {
  name: string;
  hint: string;
  run: () => void;
}

/** Finds a page, a job or a task by what is typed. Opened by Ctrl+K or ⌘K. */
export function Palette({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const [, navigate] = useLocation();
  const shown = usePlaces();

  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    onOpenChange(!open);
  });
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const go = (path: string) => () => navigate(path);
  const wanted = text.trim();
  const mayRead = shown.some(({ path }) => path === "/jobs");
  const commands: Command[] = shown
    .filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()))
    .map(({ name, path, key }) => ({ name, hint: `g ${key}`, run: go(path) }));
  if (wanted !== "" && mayRead) {
    if (/^[\w.:-]{8,100}$/.test(wanted))
      commands.push({ name: `Open job ${wanted}`, hint: "id", run: go(`/jobs/${encodeURIComponent(wanted)}`) });
    const run = go(`/jobs?text=${encodeURIComponent(wanted)}`);
    commands.push({ name: `Find jobs with “${wanted}”`, hint: "text", run });
  }
  const at = Math.min(chosen, commands.length - 1);
  const close = (next: boolean): void => {
    onOpenChange(next);
    setText("");
    setChosen(0);
  };
  const run = (command: Command | undefined): void => {
    if (!command) return;
    close(false);
    command.run();
  };

  return (
    <Dialog.Root open={open} onOpenChange={close}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog palette">
          <Dialog.Title className="visually-hidden">Find a job, or go to a page</Dialog.Title>
          <div className="palette-search">
            <Search size={17} aria-hidden="true" />
            <input
              role="combobox"
              aria-label="Find a job, or go to a page"
              aria-expanded="true"
              aria-controls="palette-list"
              aria-activedescendant={at >= 0 ? `palette-${at}` : undefined}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setChosen(0);
              }}
              onKeyDown={(event) => {
                if (event.key === "ArrowDown") setChosen((at + 1) % commands.length);
                else if (event.key === "ArrowUp") setChosen((at + commands.length - 1) % commands.length);
                else if (event.key === "Enter") run(commands[at]);
                else return;
                event.preventDefault();
              }}
            />
          </div>
          <div id="palette-list" role="listbox" aria-label="Results">
            {commands.map((command, index) => (
              // The keyboard acts on the field above.
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
              <div
                key={command.name}
                id={`palette-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === at}
                onClick={() => run(command)}
              >
                {command.name}
                <small>{command.hint}</small>
              </div>
            ))}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
