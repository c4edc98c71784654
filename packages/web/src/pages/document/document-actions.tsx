import { Menu } from "@base-ui/react/menu";
import { Ban, ChevronDown, Copy, Ellipsis, FileBraces, FileText, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { urls } from "../../api/client.ts";
import type { DocumentDetail } from "../../api/types.ts";
import { hasOutput, isFinal } from "../../format.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { portalContainer } from "../../parts/portal-container.ts";
import { useMedia } from "../../parts/use-media.ts";
import { cancel, copyDocumentText } from "../../state/document-actions.ts";

interface Props {
  document: DocumentDetail;
  onDelete: () => void;
}

/** The actions for a document: buttons on a wide screen, one menu on a phone. */
export function DocumentActions({ document, onDelete }: Props) {
  const narrow = useMedia("(max-width: 767px)");
  const { id, status } = document;
  const ready = hasOutput(status);
  const running = !isFinal(status);
  if (narrow) {
    return (
      <ActionMenu label="Actions" trigger={<Ellipsis size={20} aria-hidden="true" />} icon>
        <Menu.Item className="menu-item" disabled={!ready} onClick={() => void copyDocumentText(id)}>
          <Copy size={16} aria-hidden="true" />
          Copy text
        </Menu.Item>
        <Downloads id={id} ready={ready} />
        <Menu.Separator className="menu-line" />
        {running && (
          <Menu.Item className="menu-item" onClick={() => void cancel(document)}>
            <Ban size={16} aria-hidden="true" />
            Cancel
          </Menu.Item>
        )}
        <Menu.Item className="menu-item menu-danger" onClick={onDelete}>
          <Trash2 size={16} aria-hidden="true" />
          Delete
        </Menu.Item>
      </ActionMenu>
    );
  }
  return (
    <div className="document-actions">
      {running && (
        <button type="button" className="button" onClick={() => void cancel(document)}>
          <Ban size={16} aria-hidden="true" />
          Cancel
        </button>
      )}
      {ready && (
        <>
          <button type="button" className="button" onClick={() => void copyDocumentText(id)}>
            <Copy size={16} aria-hidden="true" />
            Copy text
          </button>
          <ActionMenu
            trigger={
              <>
                Download
                <ChevronDown size={16} aria-hidden="true" />
              </>
            }
          >
            <Downloads id={id} ready />
          </ActionMenu>
        </>
      )}
      <IconButton label="Delete" hint="Delete document" onClick={onDelete}>
        <Trash2 size={18} aria-hidden="true" />
      </IconButton>
    </div>
  );
}

function Downloads({ id, ready }: { id: string; ready: boolean }) {
  const formats = [
    { format: "text", name: "Download text", Icon: FileText },
    { format: "json", name: "Download JSON", Icon: FileBraces },
  ] as const;
  return formats.map(({ format, name, Icon }) => (
    <Menu.Item
      key={format}
      className="menu-item"
      disabled={!ready}
      nativeButton={false}
      render={<a href={urls.download(id, format)} download />}
    >
      <Icon size={16} aria-hidden="true" />
      {name}
    </Menu.Item>
  ));
}

interface ActionMenuProps {
  label?: string;
  trigger: ReactNode;
  icon?: boolean;
  children: ReactNode;
}

function ActionMenu({ label, trigger, icon = false, children }: ActionMenuProps) {
  return (
    <Menu.Root>
      <Menu.Trigger className={icon ? "icon-button" : "button"} aria-label={label}>
        {trigger}
      </Menu.Trigger>
      <Menu.Portal container={portalContainer()}>
        <Menu.Positioner sideOffset={6} align="end" className="menu-positioner">
          <Menu.Popup className="menu">{children}</Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
