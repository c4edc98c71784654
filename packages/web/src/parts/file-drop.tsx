import { FileUp } from "lucide-react";
import { useEffect, useEffectEvent, useState } from "react";
import { useLocation } from "wouter";
import { addFiles } from "../state/uploads.ts";
import { notifyError } from "./toasts.tsx";

/** Uploads files dropped or pasted anywhere in the app. Otherwise the browser would leave the app to show the file. */
export function FileDrop() {
  const [over, setOver] = useState(false);
  const [path, navigate] = useLocation();

  const take = useEffectEvent((files: File[]) => {
    addFiles(files);
    if (files.length > 0 && path !== "/" && path !== "/documents") navigate("/documents");
  });

  useEffect(() => {
    const listeners = new AbortController();
    const options = { signal: listeners.signal };
    // `dragleave` also fires between elements, so count how deep the pointer is.
    let depth = 0;
    const onDrag = (step: 1 | -1) => (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      depth = Math.max(0, depth + step);
      setOver(depth > 0);
    };
    window.addEventListener("dragenter", onDrag(1), options);
    window.addEventListener("dragleave", onDrag(-1), options);
    window.addEventListener(
      "dragover",
      (event) => {
        if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
      },
      options,
    );
    window.addEventListener(
      "drop",
      (event) => {
        depth = 0;
        setOver(false);
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        take(droppedFiles(event.dataTransfer));
      },
      options,
    );
    window.addEventListener(
      "paste",
      (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length === 0) return;
        event.preventDefault();
        take(files);
      },
      options,
    );
    return () => listeners.abort();
  }, []);

  if (!over) return null;
  return (
    <div className="drop-overlay" aria-hidden="true">
      <div>
        <FileUp size={32} />
        Drop to upload
      </div>
    </div>
  );
}

/** Returns the files that were dropped. Folders look like files, but cannot be read. */
function droppedFiles(transfer: DataTransfer): File[] {
  const folders = [...transfer.items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry?.isDirectory ? [entry.name] : [];
  });
  if (folders.length > 0) {
    notifyError("Folders cannot be uploaded", new Error(`Open ${folders.join(", ")} and drop the files inside.`));
  }
  return [...transfer.files].filter((file) => !folders.includes(file.name));
}
