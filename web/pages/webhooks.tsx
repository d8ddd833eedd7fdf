/** Webhooks: where alerts go by themselves, and how the deliveries fare. */
import { useState } from "preact/hooks";
import type { HelloTide, Schemas } from "../../client/index.ts";
import { count } from "../format.ts";
import { useLoad } from "../load.ts";
import { Form, Select, SeveritySelect, Sure, Text, useAction, useDraft } from "../ui/form.tsx";
import { Await, Empty, Failure, Secret, Section, Table, Time } from "../ui/parts.tsx";

const NEW = { url: "", format: "cloudevents", severity: "warning", routingKey: "", note: "" };
const LIST = "/v1/sites/{site}/webhooks";
const ONE = "/v1/sites/{site}/webhooks/{id}";

export function WebhooksPage({ api, site }: { api: HelloTide; site: string }) {
  const loaded = useLoad(site, (signal) =>
    api.request("GET", LIST, { params: { site }, query: { limit: 100 }, signal }),
  );
  const { draft, set, reset } = useDraft(NEW);
  const [secret, setSecret] = useState<string>();
  const send = async () => {
    const made = await api.request("POST", LIST, {
      params: { site },
      body: {
        url: draft.url,
        format: draft.format as "slack",
        min_severity: draft.severity as "info",
        ...(draft.format === "pagerduty" ? { routing_key: draft.routingKey } : {}),
        ...(draft.note === "" ? {} : { note: draft.note }),
      },
    });
    setSecret(made.secret);
    reset();
    loaded.reload();
  };
  return (
    <>
      <Section title="Webhooks">
        {secret !== undefined && (
          <Secret
            text={secret}
            what="The receiver checks signatures with this secret (Standard Webhooks)."
            onDone={() => setSecret(undefined)}
          />
        )}
        <Await of={loaded}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>No webhook is set: alerts go to the feed alone.</Empty>
            ) : (
              <Table label="Webhooks" head={["webhook", "format", "from", "state", ""]}>
                {items.map((one) => (
                  <WebhookRow
                    key={one.id}
                    api={api}
                    site={site}
                    webhook={one}
                    onSecret={setSecret}
                    onChange={loaded.reload}
                  />
                ))}
              </Table>
            )
          }
        </Await>
      </Section>
      <Section title="A new one">
        <Form label="New webhook" button="Add" send={send}>
          <Text
            label="Address"
            type="url"
            value={draft.url}
            placeholder="https://hooks.example.com/…"
            onValue={(url) => set({ url })}
            required
          />
          <Select
            label="Format"
            value={draft.format}
            options={[
              ["cloudevents", "CloudEvents, signed"],
              ["slack", "Slack"],
              ["pagerduty", "PagerDuty"],
            ]}
            onValue={(format) => set({ format })}
          />
          {draft.format === "pagerduty" && (
            <Text
              label="Routing key"
              value={draft.routingKey}
              onValue={(routingKey) => set({ routingKey })}
              required
            />
          )}
          <SeveritySelect label="From" value={draft.severity} onValue={(severity) => set({ severity })} />
          <Text label="Note" value={draft.note} onValue={(note) => set({ note })} />
        </Form>
      </Section>
    </>
  );
}

interface RowProps {
  readonly api: HelloTide;
  readonly site: string;
  readonly webhook: Schemas["Webhook"];
  onSecret(secret: string | undefined): void;
  onChange(): void;
}

function WebhookRow({ api, site, webhook, onSecret, onChange }: RowProps) {
  const { id, status } = webhook;
  const params = { site, id };
  const { run, error, isBusy } = useAction();
  const [answer, setAnswer] = useState("");
  const test = () =>
    run(async () => {
      const { delivered, detail, status: code } = await api.request("POST", `${ONE}/test`, { params });
      setAnswer(
        `${delivered ? "Delivered" : "Not delivered"}${code === undefined ? "" : ` (${code})`}: ${detail}`,
      );
    });
  return (
    <tr class={webhook.enabled ? "" : "off"}>
      <th scope="row">
        {webhook.url}
        {webhook.note !== undefined && <small>{webhook.note}</small>}
      </th>
      <td>{webhook.format}</td>
      <td>{webhook.min_severity}</td>
      <td class="text">
        {webhook.enabled ? "on" : `off: ${webhook.disabled_reason ?? "disabled"}`}
        {status !== undefined && `, ${count(status.pending)} waiting, ${count(status.failures)} failures`}
        {status?.last_delivery_at !== undefined && (
          <>
            , last <Time at={status.last_delivery_at} />
          </>
        )}
        {status?.last_detail !== undefined && `: ${status.last_detail}`}
        <span role="status"> {answer}</span>
        {error !== undefined && <Failure error={error} />}
      </td>
      <td>
        <button type="button" class="small" disabled={isBusy} onClick={() => void test()}>
          Test
        </button>
        <Sure
          label="New secret"
          about={`for ${webhook.url}`}
          action={async () => {
            onSecret((await api.request("POST", `${ONE}/rotate`, { params })).secret);
            onChange();
          }}
        />
        <Sure
          label="Delete"
          about={webhook.url}
          action={async () => {
            await api.request("DELETE", ONE, { params });
            onChange();
          }}
        />
      </td>
    </tr>
  );
}
