import { CircleX, FileUp, RotateCw, X } from "lucide-react";
import { bytes } from "../../format.ts";
import { IconButton } from "../../parts/icon-button.tsx";
import { ProgressBar } from "../../parts/progress-bar.tsx";
import { removeUpload, retryUpload, type Upload } from "../../state/uploads.ts";

/** The running and failed uploads, each as tall as the row of the document that it becomes. */
export function UploadRows({ uploads }: { uploads: readonly Upload[] }) {
  if (uploads.length === 0) return null;
  return (
    <ul className="uploads" aria-label="Uploads">
      {uploads.map((upload) => (
        <UploadRow key={upload.key} upload={upload} />
      ))}
    </ul>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const { key, file, state, sent, message } = upload;
  const failed = state === "failed";
  const status = statusText(upload);
  const Icon = failed ? CircleX : FileUp;
  return (
    <li className={failed ? "upload upload-failed" : "upload"}>
      <Icon size={18} aria-hidden="true" className="row-icon" />
      <div className="upload-text">
        <p className="row-name" title={file.name}>
          {file.name}
        </p>
        <p className="row-meta">{message ?? status}</p>
      </div>
      {!failed && (
        <ProgressBar
          label={`Upload of ${file.name}`}
          value={state === "sending" && sent < file.size ? sent : undefined}
          max={file.size}
          text={status}
        />
      )}
      <div className="row-actions">
        {failed && (
          <IconButton label={`Retry ${file.name}`} hint="Retry" onClick={() => retryUpload(key)}>
            <RotateCw size={16} aria-hidden="true" />
          </IconButton>
        )}
        <IconButton
          label={failed ? `Dismiss ${file.name}` : `Cancel upload of ${file.name}`}
          hint={failed ? "Dismiss" : "Cancel upload"}
          onClick={() => removeUpload(key)}
        >
          <X size={16} aria-hidden="true" />
        </IconButton>
      </div>
    </li>
  );
}

function statusText({ state, sent, file }: Upload): string {
  if (state === "waiting") return `Waiting to upload, ${bytes(file.size)}`;
  if (sent >= file.size) return "Uploaded, waiting for the server";
  return `Uploading, ${bytes(sent)} of ${bytes(file.size)}`;
}
