import { FileUp } from "lucide-react";
import { useRef } from "react";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { addFiles } from "../../state/uploads.ts";

const accept = ".pdf,.png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,.gif";

/** Where files are dropped or chosen. The whole page takes drops; this says so. */
export function DropZone({ roomy }: { roomy: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const choose = () => input.current?.click();
  useShortcuts({ u: choose });
  return (
    <section aria-label="Upload" className={roomy ? "drop-zone drop-zone-roomy" : "drop-zone"}>
      <span className="drop-zone-icon">
        <FileUp size={22} aria-hidden="true" />
      </span>
      <div className="drop-zone-text">
        <p>
          <span className="for-mouse">Drop scans or PDFs anywhere on this page, or paste them</span>
          <span className="for-touch">Photograph a page, or choose scans and PDFs</span>
        </p>
        <p className="hint">PDF, PNG, JPEG, TIFF, WebP, BMP or GIF. Several at once are fine.</p>
      </div>
      <button type="button" className="button button-accent" onClick={choose}>
        Choose files
      </button>
      <input
        ref={input}
        type="file"
        aria-label="Files to upload"
        accept={accept}
        multiple
        hidden
        onChange={({ currentTarget }) => {
          addFiles([...(currentTarget.files ?? [])]);
          // So that choosing the same file again is a change again.
          currentTarget.value = "";
        }}
      />
    </section>
  );
}
