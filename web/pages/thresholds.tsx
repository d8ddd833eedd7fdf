/** Thresholds: what users watch by themselves. The dry run says at once what a rule would do, before it is kept. */
import { useEffect, useState } from "preact/hooks";
import type { HelloTide, Schemas } from "../../client/index.ts";
import { count } from "../format.ts";
import { collect, useLoad } from "../load.ts";
import { sayError } from "../session.ts";
import { isWindowed, SIGNAL_GROUPS, SITE_SIGNAL_GROUPS, type SignalName } from "../signals.ts";
import { Field, Form, Select, SeveritySelect, Sure, Text, useAction, useDraft } from "../ui/form.tsx";
import { Await, Empty, Failure, Ja4, Section, Severity, Table } from "../ui/parts.tsx";

const ITEMS_MAX = 500;
/** A rule is tried when nobody has typed for so long. */
const TRY_AFTER_MS = 400;
const FIRED_SHOWN = 10;

type Bare = Omit<Schemas["Threshold"], "ja4" | "min_reqs" | "note">;

interface Draft {
  readonly id: string;
  readonly scope: "fingerprint" | "site";
  readonly signal: string;
  readonly window: string;
  readonly op: string;
  readonly value: string;
  readonly for: string;
  readonly minReqs: string;
  readonly ja4: string;
  readonly severity: string;
  readonly onMissing: string;
  readonly note: string;
}

const NEW: Draft = {
  ...{ id: "", scope: "fingerprint", signal: "error_ratio", window: "5m", op: ">", value: "0.5", for: "1m" },
  ...{ minReqs: "100", ja4: "", severity: "warning", onMissing: "skip", note: "" },
};

/** A stored rule as the form has it; `undefined` = it has several conditions, which the form has no place for. */
function draftOf(rule: Schemas["Threshold"]): Draft | undefined {
  const { when } = rule;
  if (!("signal" in when)) return undefined;
  if (typeof rule.ja4 === "object") return undefined;
  return {
    id: rule.id,
    scope: rule.scope ?? "fingerprint",
    signal: when.signal,
    window: when.window ?? "5m",
    op: when.op,
    value: String(when.value),
    for: rule.for,
    minReqs: String(rule.min_reqs),
    ja4: rule.ja4 ?? "",
    severity: rule.severity,
    onMissing: rule.on_missing,
    note: rule.note ?? "",
  };
}

/** Without what the form says: an emptied field takes its value away. */
function bare({ ja4: _, min_reqs: __, note: ___, ...rest }: Schemas["Threshold"]): Bare {
  return rest;
}

function ruleOf(draft: Draft): Schemas["ThresholdInput"] {
  const isSite = draft.scope === "site";
  return {
    ...(draft.id === "" ? {} : { id: draft.id }),
    scope: draft.scope,
    when: {
      signal: draft.signal as SignalName,
      op: draft.op as ">",
      value: Number(draft.value),
      ...(isWindowed(draft.signal) ? { window: draft.window as "1m" } : {}),
    },
    for: draft.for,
    severity: draft.severity as "info",
    on_missing: draft.onMissing as "skip",
    ...(isSite || draft.minReqs === "" ? {} : { min_reqs: Number(draft.minReqs) }),
    ...(isSite || draft.ja4 === "" ? {} : { ja4: draft.ja4 }),
    ...(draft.note === "" ? {} : { note: draft.note }),
  };
}

function sayCondition(when: Schemas["Condition"]): string {
  if ("all" in when) return when.all.map(sayCondition).join(" and ");
  if ("any" in when) return when.any.map(sayCondition).join(" or ");
  return `${when.signal}${when.window === undefined ? "" : ` (${when.window})`} ${when.op} ${when.value}`;
}

export function ThresholdsPage({ api, site }: { api: HelloTide; site: string }) {
  const { thresholds } = api.site(site);
  const loaded = useLoad(site, (signal) => collect(thresholds.list(), ITEMS_MAX, signal));
  const { draft, set, reset } = useDraft(NEW);
  /** The stored one that is being changed. */
  const [edited, setEdited] = useState<Schemas["Threshold"]>();
  const put = (rule: Bare, change: Partial<Schemas["ThresholdInput"]>) => {
    const { created_at: _, updated_at: __, active: ___, ...kept } = rule;
    return thresholds.put(rule.id, { ...kept, ...change });
  };
  const edit = (rule: Schemas["Threshold"] | undefined) => {
    setEdited(rule);
    reset(rule === undefined ? undefined : draftOf(rule));
  };
  const groups = draft.scope === "site" ? SITE_SIGNAL_GROUPS : SIGNAL_GROUPS;
  return (
    <>
      <Section title="Thresholds">
        <Await of={loaded}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty>No threshold is set. The built-in kinds watch without one.</Empty>
            ) : (
              <Table label="Thresholds" head={["threshold", "when", "for", "severity", "active at", ""]}>
                {rows.map((one) => (
                  <tr key={one.id} class={one.enabled ? "" : "off"}>
                    <th scope="row">
                      {one.id}
                      {one.note !== undefined && <small>{one.note}</small>}
                    </th>
                    <td>{sayCondition(one.when)}</td>
                    <td>{one.for}</td>
                    <td>
                      <Severity of={one.severity} /> {one.severity}
                    </td>
                    <td>{count(one.active?.length ?? 0)}</td>
                    <td>
                      {draftOf(one) !== undefined && (
                        <button
                          type="button"
                          class="small"
                          aria-label={`Change ${one.id}`}
                          onClick={() => edit(one)}
                        >
                          Change
                        </button>
                      )}
                      <Switch
                        isOn={one.enabled}
                        about={one.id}
                        action={async () => {
                          await put(one, { enabled: !one.enabled });
                          loaded.reload();
                        }}
                      />
                      <Sure
                        label="Delete"
                        about={one.id}
                        action={async () => {
                          await thresholds.delete(one.id);
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
      <Section
        title={edited === undefined ? "A new one" : `Change ${edited.id}`}
        aside={
          edited !== undefined && (
            <button type="button" class="small" onClick={() => edit(undefined)}>
              A new one instead
            </button>
          )
        }
      >
        <Form
          label="New threshold"
          button="Keep it"
          send={async () => {
            await (edited === undefined
              ? thresholds.create(ruleOf(draft))
              : put(bare(edited), ruleOf(draft)));
            edit(undefined);
            loaded.reload();
          }}
        >
          <Select
            label="Watches"
            value={draft.scope}
            options={[
              ["fingerprint", "each fingerprint"],
              ["site", "the whole site"],
            ]}
            onValue={(scope) =>
              set({
                scope: scope as Draft["scope"],
                signal: scope === "site" ? "without_ja4" : "error_ratio",
              })
            }
          />
          <Field label="Signal">
            <select
              value={draft.signal}
              onChange={({ currentTarget }) => set({ signal: currentTarget.value })}
            >
              {groups.map(([name, signals]) => (
                <optgroup key={name} label={name}>
                  {signals.map((signal) => (
                    <option key={signal}>{signal}</option>
                  ))}
                </optgroup>
              ))}
            </select>
          </Field>
          {isWindowed(draft.signal) && (
            <Select
              label="Window"
              value={draft.window}
              options={[
                ["1m", "1 minute"],
                ["5m", "5 minutes"],
                ["1h", "1 hour"],
              ]}
              onValue={(window) => set({ window })}
            />
          )}
          <Select
            label="Is"
            value={draft.op}
            options={[
              [">", "above"],
              [">=", "at least"],
              ["<", "below"],
              ["<=", "at most"],
            ]}
            onValue={(op) => set({ op })}
          />
          <Text
            label="Value"
            type="number"
            value={draft.value}
            onValue={(value) => set({ value })}
            required
          />
          <Text label="For" value={draft.for} onValue={(lasts) => set({ for: lasts })} hint="0s, 90s, 5m" />
          {draft.scope === "fingerprint" && (
            <>
              <Text
                label="Requests at least"
                type="number"
                value={draft.minReqs}
                onValue={(minReqs) => set({ minReqs })}
              />
              <Text
                label="Fingerprints"
                value={draft.ja4}
                placeholder="all, or t13d*"
                onValue={(ja4) => set({ ja4 })}
              />
            </>
          )}
          <SeveritySelect label="Severity" value={draft.severity} onValue={(severity) => set({ severity })} />
          <Select
            label="Where the signal is unknown"
            value={draft.onMissing}
            options={[
              ["skip", "nothing"],
              ["fire", "it fires"],
            ]}
            onValue={(onMissing) => set({ onMissing })}
          />
          {edited === undefined && (
            <Text
              label="Name"
              value={draft.id}
              placeholder="made up if empty"
              onValue={(id) => set({ id })}
            />
          )}
          <Text label="Note" value={draft.note} onValue={(note) => set({ note })} />
        </Form>
        <DryRun api={api} site={site} draft={draft} />
      </Section>
    </>
  );
}

/** On and off, at a click: what is off keeps its rule. */
function Switch({ isOn, about, action }: { isOn: boolean; about: string; action: () => Promise<void> }) {
  const { run, error, isBusy } = useAction();
  const label = isOn ? "Turn off" : "Turn on";
  return (
    <>
      <button
        type="button"
        class="small"
        disabled={isBusy}
        aria-label={`${label} ${about}`}
        onClick={() => void run(action)}
      >
        {label}
      </button>
      {error !== undefined && <Failure error={error} />}
    </>
  );
}

/** What the rule would do now, and would have done within the last hour. */
function DryRun({ api, site, draft }: { api: HelloTide; site: string; draft: Draft }) {
  const [found, setFound] = useState<Schemas["ThresholdTest"]>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    let isOld = false;
    const timer = setTimeout(async () => {
      try {
        const { id: _, ...rule } = ruleOf(draft);
        const answer = await api.site(site).thresholds.test(rule);
        if (!isOld) [setFound(answer), setError(undefined)];
      } catch (thrown) {
        if (!isOld) setError(thrown);
      }
    }, TRY_AFTER_MS);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [api, site, draft]);
  if (error !== undefined) return <p class="notice">This rule cannot be: {sayError(error)}</p>;
  if (found === undefined) return <p class="notice">Trying it …</p>;
  const { would_fire: now, would_fire_more: more = 0, last_hour: hour } = found;
  const ja4s = now.flatMap(({ ja4, observed }) => (ja4 === undefined ? [] : [{ ja4, observed }]));
  return (
    <div class="notice" role="status">
      <p>
        Now it would fire at <b>{count(now.length + more)}</b> of {count(found.evaluated)}; within the last
        hour it would have raised <b>{count(hour.episodes)}</b> {hour.episodes === 1 ? "alert" : "alerts"}
        {draft.scope === "fingerprint" && ` at ${count(hour.fingerprints)} fingerprints`}.
      </p>
      <ul class="plain">
        {ja4s.slice(0, FIRED_SHOWN).map(({ ja4, observed }) => (
          <li key={ja4}>
            <Ja4 site={site} ja4={ja4} /> {count(observed)}
          </li>
        ))}
      </ul>
    </div>
  );
}
