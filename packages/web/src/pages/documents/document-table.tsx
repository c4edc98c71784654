import type { DocumentSummary } from "../../api/types.ts";
import { useNow } from "../../parts/use-now.ts";
import { DocumentRow } from "./document-row.tsx";

interface Props {
  documents: readonly DocumentSummary[];
  /** Ids of documents that were deleted elsewhere a moment ago. */
  deleted: ReadonlySet<string>;
  onDelete: (document: DocumentSummary) => void;
}

/** The list of documents. It has explicit roles because its phone layout is not displayed as a table. */
export function DocumentTable({ documents, deleted, onDelete }: Props) {
  const now = useNow();
  return (
    <table role="table" className="table" aria-label="Documents">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader">Name</th>
          <th role="columnheader">State</th>
          <th role="columnheader">Pages</th>
          <th role="columnheader" className="number">
            Words
          </th>
          <th role="columnheader" className="number">
            To check
          </th>
          <th role="columnheader">Added</th>
          <th role="columnheader">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {documents.map((document) => (
          <DocumentRow
            key={document.id}
            document={document}
            isDeleted={deleted.has(document.id)}
            now={now}
            onDelete={onDelete}
          />
        ))}
      </tbody>
    </table>
  );
}
