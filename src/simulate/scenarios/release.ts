/**
 * Harmless: a browser's new version is rolled out, and its fingerprint, never seen before, grows from nothing to that
 * of a common client. Real releases reach about a fifth of the users within a day; this one is as large at its end,
 * but comes in ten minutes.
 */
import { MINUTE_MS } from "../../config.ts";
import { chromeAgent } from "../agents.ts";
import { visitsIn } from "../background.ts";
import { type Client, clientOf } from "../clients.ts";
import { RELEASES } from "../ja4-table.ts";
import { byTime } from "../record.ts";
import type { Label, Scenario } from "../scenario.ts";
import { VISIT_MAX_MS } from "../visit.ts";

const GROWS_MINUTES = 10;
const REQS_PER_MINUTE = 40;
/** As long as anybody will watch. */
const DURATION_MS = 24 * 60 * MINUTE_MS;
const VERSION = 143;

export const release: Scenario = {
  name: "release",
  durationMs: DURATION_MS,
  ongoing: true,
  play({ background, round, startMs }) {
    const ja4 = RELEASES[round % RELEASES.length] ?? "";
    const client: Client = {
      ...clientOf(background.seed, ja4, "chromium", { reqsPerMinute: REQS_PER_MINUTE }),
      agents: ["Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7"].map((platform) => [
        chromeAgent(VERSION, platform),
        1,
      ]),
    };
    const label: Label = {
      scene: "release",
      title: "Browser release",
      sentence: `Chrome ${VERSION} is rolled out: a new fingerprint grows to ${REQS_PER_MINUTE} requests a minute and stays`,
      ja4: [ja4],
      startMs,
      endMs: startMs + DURATION_MS,
      expects: [],
      also: [],
      note: "harmless: nothing should be raised",
    };
    return {
      label,
      between(fromMs, toMs) {
        const from = Math.max(fromMs, startMs);
        const first = Math.floor((from - VISIT_MAX_MS) / MINUTE_MS);
        const last = Math.floor((toMs - 1) / MINUTE_MS);
        const begun = Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => {
          const age = first + i - startMs / MINUTE_MS;
          const level = Math.min(Math.max((age + 1) / GROWS_MINUTES, 0), 1);
          return visitsIn(client, first + i, background.seed, level, label.scene);
        });
        return byTime(begun.flat().filter(({ timestamp }) => timestamp >= from && timestamp < toMs));
      },
    };
  },
};
