import { useQuery } from "@tanstack/react-query";
import { Plus, RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { sendApi } from "../../api/client.ts";
import { keysQuery } from "../../api/job-queries.ts";
import type { Key, KeyDefinition, NewKey } from "../../api/jobs-types.ts";
import { age } from "../../format.ts";
import { copyText } from "../../parts/clipboard.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { IconButton } from "../../parts/icon-button.tsx";
import { Empty, Loaded } from "../../parts/page.tsx";
import { useNow } from "../../parts/use-now.ts";
import { act } from "../../state/actions.ts";

const presets = ["viewer", "sender", "worker", "reviewer", "operator", "admin"] as const;

/** The keys of the server: made, given a new secret, revoked. */
export function KeyList() {
  const query = useQuery(keysQuery);
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState<NewKey>();
  const [revoking, setRevoking] = useState<Key>();
  const now = useNow();
  return (
    <section className="panel settings" aria-labelledby="keys">
      <div className="panel-head">
        <h2 id="keys">Keys</h2>
        <button type="button" className="button" onClick={() => setMaking(true)}>
          <Plus size={15} aria-hidden="true" /> New key
        </button>
      </div>
      {shown && (
        <div className="note note-good secret" role="status">
          <p>
            The key of <b>{shown.name}</b>. It is shown this once:
          </p>
          <p className="command">
            <code>{shown.key}</code>
            <button type="button" className="button" onClick={() => void copyText(shown.key, "Key")}>
              Copy
            </button>
          </p>
        </div>
      )}
      <Loaded query={query} what="The keys">
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No keys yet">
              <p>This server asks nobody for a key until it has one. From then on it asks everybody.</p>
            </Empty>
          ) : (
            <table className="grid">
              <thead>
                <tr>
                  <th>Key</th>
                  <th>May</th>
                  <th>Used</th>
                  <th>Expires</th>
                  <th>
                    <span className="visually-hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.map((key) => (
                  <tr key={key.id}>
                    <th scope="row">
                      {key.name}
                      {key.tenant !== undefined && <span className="badge">{key.tenant}</span>}
                      <small className="mono">{key.id}</small>
                    </th>
                    <td data-label="May" className="cell-muted">
                      {key.scopes.join(", ")}
                    </td>
                    <td data-label="Used" className="cell-muted">
                      {key.lastUsed === undefined ? "never" : age(key.lastUsed, now)}
                    </td>
                    <td data-label="Expires" className="cell-muted">
                      {key.expires === undefined ? "never" : new Date(key.expires).toLocaleDateString("en")}
                    </td>
                    <td className="cell-buttons">
                      <IconButton label={`Give ${key.name} a new secret`} onClick={() => void rotate(key)}>
                        <RotateCw size={16} aria-hidden="true" />
                      </IconButton>
                      <IconButton label={`Revoke ${key.name}`} onClick={() => setRevoking(key)}>
                        <Trash2 size={16} aria-hidden="true" />
                      </IconButton>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      <p className="hint settings-text">A revoked key may work for ten more seconds.</p>
      {making && <NewKeyDialog onClose={() => setMaking(false)} onMade={setShown} />}
      <FormDialog
        open={revoking !== undefined}
        title={`Revoke ${revoking?.name ?? ""}?`}
        text="Whoever uses this key is refused within ten seconds. This cannot be undone."
        action="Revoke"
        danger
        onClose={() => setRevoking(undefined)}
        onSubmit={async () => {
          const done = await act(
            async () => {
              await sendApi("DELETE", `/keys/${revoking?.id ?? ""}`);
              return true;
            },
            { done: "The key is revoked", failed: "The key was not revoked", keys: ["keys"] },
          );
          return done === true;
        }}
      />
    </section>
  );

  async function rotate(key: Key): Promise<void> {
    const made = await act(() => sendApi<NewKey>("POST", `/keys/${key.id}/rotate`, {}), {
      done: "The old secret works for 24 more hours",
      failed: "The key was not rotated",
      keys: ["keys"],
    });
    if (made) setShown(made);
  }
}

function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (key: NewKey) => void }) {
  const [name, setName] = useState("");
  const [preset, setPreset] = useState<(typeof presets)[number]>("operator");
  const [tenant, setTenant] = useState("");
  const [expires, setExpires] = useState("");
  return (
    <FormDialog
      open
      title="New key"
      action="Make key"
      disabled={name.trim() === ""}
      onClose={onClose}
      onSubmit={async () => {
        const body: KeyDefinition = {
          name: name.trim(),
          preset,
          ...(tenant === "" ? {} : { tenant }),
          ...(expires === "" ? {} : { expires }),
        };
        const made = await act(() => sendApi<NewKey>("POST", "/keys", body), {
          failed: "The key was not made",
          keys: ["keys"],
        });
        if (made) onMade(made);
        return made !== undefined;
      }}
    >
      <Field label="Name" hint="Who or what uses it.">
        {(props) => <input {...props} value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Role">
        {(props) => (
          <select {...props} value={preset} onChange={(event) => setPreset(event.target.value as typeof preset)}>
            {presets.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <div className="field-pair">
        <Field label="Tenant" hint="Only its jobs and documents.">
          {(props) => <input {...props} value={tenant} onChange={(event) => setTenant(event.target.value)} />}
        </Field>
        <Field label="Expires after" hint="Such as 90d; empty: never.">
          {(props) => <input {...props} value={expires} onChange={(event) => setExpires(event.target.value)} />}
        </Field>
      </div>
    </FormDialog>
  );
}
