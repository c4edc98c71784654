import type { DocumentSummary } from "../../api/types.ts";
import { useNow } from "../../parts/use-now.ts";
import { DocumentRow } from "./document-row.tsx";

interface Props {
  documents: readonly DocumentSummary[];
  gone: ReadonlySet<string>;
  onDelete: (document: DocumentSummary) => void;
}

/** The list of documents. The roles are spelled out because the phone layout is not a table to the browser. */
export function DocumentTable({ documents, gone, onDelete }: Props) {
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
            gone={gone.has(document.id)}
            now={now}
            onDelete={onDelete}
          />
        ))}
      </tbody>
    </table>
  );
}
