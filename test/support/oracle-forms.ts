/** The shapes of the answers, as the contract shows them. */

export type WindowName = "1m" | "5m" | "1h";
export type WindowForm = { readonly from: string; readonly reqs: number } & Readonly<Record<string, unknown>>;

export interface FullForm {
  bot_score?: { histogram: [number, number][]; detection_ids: [number, number][] };
  readonly site: string;
  readonly ja4: string;
  readonly as_of: string;
  readonly ranks_as_of?: string;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly windows: Readonly<Record<WindowName, WindowForm>>;
  readonly local: Readonly<Record<string, number>>;
  readonly global?: Readonly<Record<string, number | string>>;
  readonly score?: number;
  readonly anomalies?: readonly { readonly anomaly_id: string; readonly kind: string }[];
  readonly waf_expression: string;
  readonly source?: string;
  readonly partial?: unknown;
}

export interface ListAnswer {
  readonly as_of: string;
  readonly ranks_as_of?: string;
  readonly fingerprints: readonly ListRow[];
  readonly next_cursor?: string;
}

export interface ListRow {
  readonly ja4: string;
  readonly reqs: number;
  readonly ips: number;
  readonly uas: number;
  readonly paths: number;
  readonly browser_ratio?: number;
  readonly score?: number;
  readonly last_seen: string;
}

export interface SummaryWindow {
  readonly from: string;
  readonly reqs: number;
  readonly fingerprints: number;
  readonly without_ja4: number;
  readonly without_signals: number;
}

export interface Summary {
  readonly site: string;
  readonly as_of: string;
  readonly windows: Readonly<Record<WindowName, SummaryWindow>>;
  readonly since_start: Readonly<Record<string, number>>;
  readonly shards: readonly { readonly shard: number; readonly fingerprints: number }[];
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}
