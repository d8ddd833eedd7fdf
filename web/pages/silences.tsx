/** Silences: what is not told for a while. It is still detected, and the feed can show it. */
import type { HelloTide, Schemas } from "../../client/index.ts";
import { HOUR_MS, words } from "../format.ts";
import { collect, useLoad } from "../load.ts";
import { KIND_CHOICES } from "../signals.ts";
import { type Choice, Form, Select, Sure, Text, useDraft } from "../ui/form.tsx";
import { Await, Empty, Ja4, Section, Table, Time } from "../ui/parts.tsx";

const ITEMS_MAX = 500;
const LASTS: readonly Choice[] = [
  ["1", "1 hour"],
  ["24", "24 hours"],
  ["168", "7 days"],
  ["", "until it is deleted"],
];
const NEW = { ja4: "", kind: "", hours: "24", reason: "" };

export function SilencesPage({ api, site }: { api: HelloTide; site: string }) {
  const { silences } = api.site(site);
  const loaded = useLoad(site, (signal) => collect(silences.list(), ITEMS_MAX, signal));
  const { draft, set, reset } = useDraft(NEW);
  const send = async () => {
    const until =
      draft.hours === "" ? undefined : new Date(Date.now() + Number(draft.hours) * HOUR_MS).toISOString();
    await silences.create({
      ...(draft.ja4 === "" ? {} : { ja4: draft.ja4 }),
      ...(draft.kind === "" ? {} : { kinds: [draft.kind] as NonNullable<Schemas["SilenceInput"]["kinds"]> }),
      ...(until === undefined ? {} : { until }),
      ...(draft.reason === "" ? {} : { reason: draft.reason }),
    });
    reset();
    loaded.reload();
  };
  return (
    <>
      <Section title="Silences">
        <Await of={loaded}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty>Nothing is silenced.</Empty>
            ) : (
              <Table label="Silences" head={["fingerprint", "kinds", "until", "reason", ""]}>
                {rows.map((one) => (
                  <tr key={one.id}>
                    <th scope="row">
                      {one.ja4 === undefined ? "all" : <Ja4 site={site} ja4={one.ja4} />}
                      {one.verified_bots === true && <small>verified bots</small>}
                    </th>
                    <td>{one.kinds?.map(words).join(", ") ?? "all"}</td>
                    <td>{one.until === undefined ? "for good" : <Time at={one.until} />}</td>
                    <td class="text">{one.reason}</td>
                    <td>
                      <Sure
                        label="Delete"
                        about={`silence ${one.id}`}
                        action={async () => {
                          await silences.delete(one.id);
                          loaded.reload();
                        }}
                      />
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Await>
      </Section>
      <Section title="A new one">
        <Form label="New silence" button="Silence" send={send}>
          <Text
            label="Fingerprint"
            value={draft.ja4}
            placeholder="t13d1516h2_*"
            onValue={(ja4) => set({ ja4 })}
          />
          <Select label="Kind" value={draft.kind} options={KIND_CHOICES} onValue={(kind) => set({ kind })} />
          <Select label="For" value={draft.hours} options={LASTS} onValue={(hours) => set({ hours })} />
          <Text
            label="Reason"
            value={draft.reason}
            onValue={(reason) => set({ reason })}
            hint="who reads it later"
          />
        </Form>
      </Section>
    </>
  );
}
