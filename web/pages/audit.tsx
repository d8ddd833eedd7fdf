/** Every change of settings and tokens: who, what, when. */
import { useState } from "preact/hooks";
import type { HelloTide } from "../../client/index.ts";
import { useLoad } from "../load.ts";
import { Await, Empty, Section, Table, Time } from "../ui/parts.tsx";

const PAGE = 100;

export function AuditPage({ api }: { api: HelloTide }) {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const loaded = useLoad(`audit ${cursor ?? ""}`, (signal) =>
    api.request("GET", "/v1/audit", {
      query: { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) },
      signal,
    }),
  );
  return (
    <Section title="Audit">
      <Await of={loaded}>
        {({ items, next_cursor: next }) => (
          <>
            {items.length === 0 ? (
              <Empty>Nothing was changed yet.</Empty>
            ) : (
              <Table label="Audit" head={["when", "who", "action", "site", "target", "status"]}>
                {items.map((one) => (
                  <tr key={one.id} title={`request ${one.request_id}`}>
                    <td>
                      <Time at={one.at} />
                    </td>
                    <td>{"token" in one.actor ? one.actor.token : one.actor.access}</td>
                    <th scope="row">{one.action}</th>
                    <td>{one.site}</td>
                    <td>{one.target}</td>
                    <td>{one.status}</td>
                  </tr>
                ))}
              </Table>
            )}
            <div class="actions">
              {cursor !== undefined && (
                <button type="button" class="small" onClick={() => setCursors(cursors.slice(0, -1))}>
                  Newer
                </button>
              )}
              {next !== undefined && (
                <button type="button" class="small" onClick={() => setCursors([...cursors, next])}>
                  Older
                </button>
              )}
            </div>
          </>
        )}
      </Await>
    </Section>
  );
}
