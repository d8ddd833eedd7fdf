/**
 * `/metrics` as other people's parser reads it: the reference implementation of OpenMetrics, Prometheus' own Python library,
 * which refuses what the format forbids (names, order, units, escapes, a missing end). It knows nothing of our code.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { metricsText, type SiteMetrics } from "../../src/reading/metrics.ts";
import { createClient, ingest, ja4Of, summaryOf, until } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { openFeed } from "../support/stream.ts";
import { putRule, rule, visit } from "./helpers/rules.ts";

/** The first Python that has the library; version managers hide the system's, which Debian's packages are for. */
const python = ["python3", "/usr/bin/python3"].find(
  (command) =>
    spawnSync(command, ["-c", "import prometheus_client.openmetrics.parser"], { stdio: "ignore" }).status ===
    0,
);
const NO_PYTHON =
  "no python3 with prometheus_client; on Debian: apt-get install -y python3-prometheus-client";

/** Standard input → families as JSON; ends with 1 and the reason where the text is no OpenMetrics. */
const PARSE = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
try:
    families = [
        {"name": f.name, "type": f.type, "unit": f.unit, "help": f.documentation,
         "samples": [{"name": s.name, "labels": s.labels, "value": s.value} for s in f.samples]}
        for f in parse(sys.stdin.read())
    ]
except ValueError as refused:
    sys.exit(str(refused))
json.dump(families, sys.stdout)
`;

interface Family {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly { name: string; labels: Record<string, string>; value: number }[];
}

/** Throws what the parser says against the text. */
function parsed(text: string): Family[] {
  const { status, stdout, stderr } = spawnSync(python!, ["-c", PARSE], { input: text, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Family[];
}

const HEADS = [
  ["hellotide_observations", "counter", ""],
  ["hellotide_fingerprints", "gauge", ""],
  ["hellotide_without_ja4", "counter", ""],
  ["hellotide_anomalies", "counter", ""],
  ["hellotide_active_anomalies", "gauge", ""],
  ["hellotide_lost_at_edge", "counter", ""],
  ["hellotide_shard_age_seconds", "gauge", "seconds"],
  ["hellotide_feed_clients", "gauge", ""],
  ["hellotide_webhook_failures", "counter", ""],
];
/** Contract §4: which labels a family has. */
const LABELS: Readonly<Record<string, string[]>> = {
  hellotide_observations: ["site", "source", "result"],
  hellotide_anomalies: ["site", "kind", "severity"],
  hellotide_active_anomalies: ["site", "kind"],
  hellotide_shard_age_seconds: ["site", "shard"],
};
const heads = (families: readonly Family[]) => families.map(({ name, type, unit }) => [name, type, unit]);

/** Samples of a family by their labels but the site's. */
function samplesOf(families: readonly Family[], name: string, site: string): Record<string, number> {
  const own = families
    .find((family) => family.name === name)!
    .samples.filter((one) => one.labels.site === site);
  return Object.fromEntries(
    own.map(({ labels, value }) => [
      Object.entries(labels)
        .filter(([label]) => label !== "site")
        .map(([, said]) => said)
        .join(" "),
      value,
    ]),
  );
}

describe.skipIf(python === undefined)(
  `/metrics read by prometheus_client${python === undefined ? ` (skipped: ${NO_PYTHON})` : ""}`,
  () => {
    it("PRF-5: is OpenMetrics with the documented families, types, units, labels, and the summary's numbers", async () => {
      const server = await startServer({ sites: ["shop", "api"], shards: 2, env: { TICK: "1s" } });
      try {
        const client = createClient(server);
        const when = { signal: "reqs", window: "1h", op: ">", value: 1 };
        for (const severity of ["warning", "critical"])
          await putRule(client, "shop", rule(severity, { severity, when }));
        const feed = await openFeed(server, "shop");
        await visit(client, "shop", ja4Of(1), 2);
        await visit(client, "api", ja4Of(2), 3);
        const now = Date.now();
        await ingest(client, "shop", [
          { timestamp: now },
          { timestamp: now - 4_000_000 },
          { timestamp: 1 },
          {},
        ]);
        const line = JSON.stringify({ EdgeStartTimestamp: (now - 2_000) * 1e6, JA4: ja4Of(3) });
        expect((await client.post("/v1/sites/shop/logpush", { body: line })).status).toBe(202);
        const families = await until("both thresholds are told", 20_000, async () => {
          const read = parsed((await client.get("/metrics")).text);
          return Object.keys(samplesOf(read, "hellotide_anomalies", "shop")).length === 2 ? read : undefined;
        });
        feed.close();
        expect(heads(families)).toEqual(HEADS);
        for (const { name, type, help, samples } of families) {
          expect(help).toMatch(/^[A-Z].{10,}\.$/);
          // The parser does not mind one series twice; Prometheus does.
          expect(new Set(samples.map(({ labels }) => JSON.stringify(labels))).size).toBe(samples.length);
          for (const sample of samples) {
            expect(sample.name).toBe(type === "counter" ? `${name}_total` : name);
            expect(Object.keys(sample.labels)).toEqual(LABELS[name] ?? ["site"]);
            expect(sample.value).toBeGreaterThanOrEqual(0);
          }
        }
        const of = (name: string, site = "shop") => samplesOf(families, `hellotide_${name}`, site);
        expect(of("anomalies")).toEqual({ "threshold warning": 1, "threshold critical": 1 });
        expect(of("active_anomalies")).toEqual({ threshold: 2 });
        expect(Object.keys(of("shard_age_seconds"))).toEqual(["0", "1"]);
        expect([of("feed_clients"), of("webhook_failures")]).toEqual([{ "": 1 }, { "": 0 }]);
        expect([of("anomalies", "api"), of("fingerprints", "api")]).toEqual([{}, { "": 1 }]);
        expect(of("observations")["logpush accepted"]).toBe(1);
        const { since_start: since, windows } = await summaryOf(client, "shop");
        expect(of("fingerprints")[""]).toBe(windows["1h"].fingerprints);
        expect(of("without_ja4")[""]).toBe(1);
        for (const result of ["accepted", "rejected", "expired"]) {
          const counts = Object.entries(of("observations")).filter(([labels]) =>
            labels.endsWith(` ${result}`),
          );
          expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(since[result]);
        }
        expect([since.accepted, since.rejected, since.expired]).toEqual([4, 2, 1]);
      } finally {
        await server.stop();
      }
    }, 60_000);

    /** Every sign that the format gives a meaning. */
    const ODD = 'a "quoted" \\ back\nslash {b="c"} # é';
    const odd: SiteMetrics = {
      ...{ site: ODD, shards: [], isWhole: false },
      feed: {
        ...{ clients: 3, webhookFailures: 1.5 },
        raised: [{ kind: ODD, severity: "\\n", count: 7 }],
        active: [],
      },
    };

    it("PRF-6: label values come back whatever signs they have", () => {
      const families = parsed(metricsText([odd], 0));
      expect(families.find(({ name }) => name === "hellotide_anomalies")!.samples).toEqual([
        { name: "hellotide_anomalies_total", labels: { site: ODD, kind: ODD, severity: "\\n" }, value: 7 },
      ]);
    });

    it.each([
      ["without its end", (text: string) => text.replace("# EOF\n", "")],
      ["with a counter that is no total", (text: string) => text.replace("failures_total{", "failures{")],
      [
        "with a family twice",
        (text: string) => text.replace("# EOF", "# TYPE hellotide_anomalies counter\n# EOF"),
      ],
      [
        "with a unit that the name lacks",
        (text: string) =>
          text.replace("UNIT hellotide_shard_age_seconds seconds", "UNIT hellotide_shard_age_seconds bytes"),
      ],
      [
        "with a sample in another family",
        (text: string) => text.replace(/(hellotide_feed_clients\{.*\n)((?:#.*\n)+)/, "$2$1"),
      ],
      ["with a quote that is not escaped", (text: string) => text.replace('\\"quoted', '"quoted')],
      ["with a word for a number", (text: string) => text.replace("} 3\n", "} three\n")],
      ["with a negative counter", (text: string) => text.replace("} 7\n", "} -7\n")],
      [
        "with types after samples",
        (text: string) => text.replace(/(# TYPE hellotide_feed_clients gauge\n)(.*\n)(.*\n)/, "$2$3$1"),
      ],
    ])("PRF-7: the parser refuses the same text %s", (_, spoil) => {
      const text = metricsText([odd], 0);
      expect(spoil(text)).not.toBe(text);
      expect(parsed(text).length).toBe(HEADS.length);
      expect(() => parsed(spoil(text))).toThrow();
    });
  },
);
