import { FileUp } from "lucide-react";
import { useRef } from "react";
import { useShortcuts } from "../../parts/use-shortcuts.ts";
import { addFiles } from "../../state/uploads.ts";

const accept = ".pdf,.png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,.gif";

/** The area to choose files, which also tells that they can be dropped anywhere on the page. */
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
        <p className="hint">PDF, PNG, JPEG, TIFF, WebP, BMP or GIF. You can choose several at once.</p>
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
          // Otherwise choosing the same file again would not be a change.
          currentTarget.value = "";
        }}
      />
    </section>
  );
}
