/** Tokens: who may do what. */
import { useState } from "preact/hooks";
import type { HelloTide, Schemas } from "../../client/index.ts";
import { DAY_MS } from "../format.ts";
import { useLoad } from "../load.ts";
import { Field, Form, Select, Sure, Text, useDraft } from "../ui/form.tsx";
import { Await, Secret, Section, Table, Time } from "../ui/parts.tsx";

type Scope = Schemas["TokenInput"]["scopes"][number];
const SCOPES: readonly Scope[] = ["ingest", "read", "feed", "write", "admin"];
const NEW = { name: "", scopes: ["read", "feed"] as readonly Scope[], sites: "*", days: "90" };

export function TokensPage({ api }: { api: HelloTide }) {
  const loaded = useLoad("tokens", (signal) =>
    api.request("GET", "/v1/tokens", { query: { limit: 100 }, signal }),
  );
  const { draft, set, reset } = useDraft(NEW);
  const [secret, setSecret] = useState<string>();
  const send = async () => {
    const made = await api.request("POST", "/v1/tokens", {
      body: {
        name: draft.name,
        scopes: draft.scopes,
        sites: draft.sites.trim() === "*" ? "*" : draft.sites.split(/[\s,]+/).filter(Boolean),
        ...(draft.days === ""
          ? {}
          : { expires_at: new Date(Date.now() + Number(draft.days) * DAY_MS).toISOString() }),
      },
    });
    setSecret(made.token);
    reset();
    loaded.reload();
  };
  return (
    <>
      <Section title="Tokens">
        {secret !== undefined && (
          <Secret text={secret} what="This is the token." onDone={() => setSecret(undefined)} />
        )}
        <Await of={loaded}>
          {({ items }) => (
            <Table label="Tokens" head={["token", "scopes", "sites", "expires", ""]}>
              {items.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    {one.name}
                    {one.static === true && <small>from API_TOKENS</small>}
                  </th>
                  <td>{one.scopes.join(", ")}</td>
                  <td>{one.sites.join(", ")}</td>
                  <td>{one.expires_at === undefined ? "never" : <Time at={one.expires_at} />}</td>
                  <td>
                    {one.static !== true && (
                      <>
                        <Sure
                          label="New secret"
                          about={`for ${one.name}`}
                          action={async () => {
                            const made = await api.request("POST", "/v1/tokens/{id}/rotate", {
                              params: { id: one.id },
                            });
                            setSecret(made.token);
                            loaded.reload();
                          }}
                        />
                        <Sure
                          label="Revoke"
                          about={one.name}
                          action={async () => {
                            await api.request("DELETE", "/v1/tokens/{id}", { params: { id: one.id } });
                            loaded.reload();
                          }}
                        />
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </Await>
      </Section>
      <Section title="A new one">
        <Form label="New token" button="Make it" send={send}>
          <Text
            label="Name"
            value={draft.name}
            onValue={(name) => set({ name })}
            required
            hint="whose it is"
          />
          <Scopes chosen={draft.scopes} onChosen={(scopes) => set({ scopes })} />
          <Text
            label="Sites"
            value={draft.sites}
            onValue={(sites) => set({ sites })}
            hint="* or names, with commas"
          />
          <Select
            label="Expires"
            value={draft.days}
            options={[
              ["1", "in a day"],
              ["30", "in 30 days"],
              ["90", "in 90 days"],
              ["365", "in a year"],
              ["", "never"],
            ]}
            onValue={(days) => set({ days })}
          />
        </Form>
      </Section>
    </>
  );
}

function Scopes({
  chosen,
  onChosen,
}: {
  chosen: readonly Scope[];
  onChosen: (scopes: readonly Scope[]) => void;
}) {
  return (
    <fieldset>
      <legend>Scopes</legend>
      {SCOPES.map((scope) => (
        <Field key={scope} label={scope}>
          <input
            type="checkbox"
            checked={chosen.includes(scope)}
            onChange={({ currentTarget }) =>
              onChosen(SCOPES.filter((one) => (one === scope ? currentTarget.checked : chosen.includes(one))))
            }
          />
        </Field>
      ))}
    </fieldset>
  );
}
