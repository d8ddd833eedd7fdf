/** Short real attack logs, played into a quiet real log: what is raised of the attacker, and of anybody else. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KeyedHash } from "../../../../src/base/hash.ts";
import { HOUR_MS, MINUTE_MS, TICK_DEFAULT_MS } from "../../../../src/config.ts";
import { siteOf } from "../../../../src/detect/site-view.ts";
import { collect } from "../../../../src/edge/collect.ts";
import { UserAgentClassifier } from "../../../../src/edge/user-agent.ts";
import { Window } from "../../../../src/window/window.ts";
import { FRAME_ID_BYTES } from "../../../../src/wire/frame.ts";
import { NO_COUNTERS } from "../../../../src/wire/frame-builder.ts";
import { ROOT } from "../../paths.ts";
import { guessFormat, PARSERS, SAMPLE_LINES } from "../../replay/format.ts";
import { ja4OfAgent } from "../../replay/ja4-table.ts";
import { type LogRecord, pathOf } from "../../replay/record.ts";
import { Engine } from "../engine.ts";
import type { Part, Section } from "../section.ts";

const DATA = join(ROOT, "..", "shared", "data");
const BACKGROUND = join(DATA, "access-logs", "apache_logs");
const ATTACKS = join(DATA, "labelled-logs");
/** A client of its own, that nobody had seen. */
const ATTACKER = "t13d191000_9dc949149365_e7c285222651";
const START_MS = Date.UTC(2026, 0, 5);
/** The background's days in this time: a site of fifty requests a minute. */
const BACKGROUND_MS = 3.5 * HOUR_MS;
const ATTACK_MS = START_MS + 3 * HOUR_MS + 7_000;
const ONE_SHARD = { epoch: 1, shards: 1 };

export const logs: Part = {
  name: "logs",
  about: "real attack logs in a real quiet one: their kinds, and nothing of the others",
  run({ log }): Section[] {
    if (!existsSync(BACKGROUND) || !existsSync(ATTACKS)) {
      log(`logs: skipped, there are none in ${DATA}`);
      return [];
    }
    const background = compressed(readLog(BACKGROUND));
    const quietly = play(background, []);
    const rows = readdirSync(ATTACKS)
      .sort()
      .map((file) => {
        const attack = readLog(join(ATTACKS, file));
        const told = play(background, attack);
        const own = told.filter(({ ja4 }) => ja4 === ATTACKER).map(({ kind }) => kind);
        const others = told.filter(({ ja4 }) => ja4 !== ATTACKER);
        log(`logs: ${file}: ${own.join(", ") || "nothing"}`);
        return [file, `${attack.length}`, [...new Set(own)].join(", ") || "–", `${others.length}`];
      });
    return [
      {
        title: "Real attack logs",
        notes: [
          `Each log as it is, three hours into ${background.length} requests of a real site whose days were compressed to ${BACKGROUND_MS / HOUR_MS} h, by a client that nobody had seen; one shard, a tick every ${TICK_DEFAULT_MS / 1_000} s, default settings. Without any attack ${quietly.length} anomalies.`,
        ],
        tables: [{ head: ["log", "requests", "raised of the attacker", "raised of others"], rows }],
      },
    ];
  },
};

function play(background: readonly LogRecord[], attack: readonly LogRecord[]) {
  const first = attack[0]?.timeMs ?? 0;
  const records = [
    ...background,
    ...attack.map(({ timeMs, fields }) => ({
      timeMs: ATTACK_MS + timeMs - first,
      fields: { ...fields, ja4: ATTACKER },
    })),
  ].sort((a, b) => a.timeMs - b.timeMs);
  const hash = new KeyedHash(new Uint8Array(16).fill(7));
  const agents = new UserAgentClassifier();
  const window = new Window(0);
  const engine = new Engine();
  let next = 0;
  const endMs = Math.max(records.at(-1)?.timeMs ?? 0, START_MS + BACKGROUND_MS);
  for (let nowMs = START_MS; nowMs <= endMs + MINUTE_MS; nowMs += TICK_DEFAULT_MS) {
    const due: { value: Record<string, unknown> }[] = [];
    for (; next < records.length && records[next]!.timeMs <= nowMs; next++) {
      const { timeMs, fields } = records[next]!;
      due.push({ value: { ...fields, timestamp: timeMs } });
    }
    window.advance(nowMs);
    for (const frames of collect(due, nowMs, ONE_SHARD, hash, agents).builders.values())
      for (const frame of frames)
        window.apply(frame.build(new Uint8Array(FRAME_ID_BYTES), "observations", NO_COUNTERS), nowMs);
    engine.tick(siteOf(window, START_MS));
  }
  return engine.raises;
}

function readLog(path: string): LogRecord[] {
  const lines = readFileSync(path, "utf8").trim().split(/\r?\n/);
  const format = guessFormat(lines.slice(0, SAMPLE_LINES));
  return lines.flatMap((line) => {
    if (format === undefined) return proxyRecord(line);
    const parsed = PARSERS[format](line);
    return "record" in parsed ? [parsed.record] : [];
  });
}

/** Traefik's own JSON lines, which `replay` does not read. */
function proxyRecord(line: string): LogRecord[] {
  try {
    const told = JSON.parse(line) as Record<string, string | undefined> & { DownstreamStatus?: number };
    return [
      {
        timeMs: Date.parse(told.StartUTC ?? ""),
        fields: {
          client_ip: told.ClientHost,
          method: told.RequestMethod,
          path: pathOf(told.RequestPath ?? "/"),
          status: told.DownstreamStatus,
          user_agent: told["request_User-Agent"],
        },
      },
    ];
  } catch {
    return [];
  }
}

/** The whole span at the same pace in less time, each request with the JA4 of its user agent's family. */
function compressed(records: readonly LogRecord[]): LogRecord[] {
  const times = records.map(({ timeMs }) => timeMs);
  const first = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b));
  return records
    .map(({ timeMs, fields }) => ({
      timeMs: START_MS + Math.round(((timeMs - first) / (last - first)) * BACKGROUND_MS),
      fields: { ...fields, ja4: ja4OfAgent(fields.user_agent as string | undefined).ja4 },
    }))
    .sort((a, b) => a.timeMs - b.timeMs);
}
