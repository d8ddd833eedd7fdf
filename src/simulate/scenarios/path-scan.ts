/** A vulnerability scanner that works through a word list: nearly everything it asks for does not exist. */
import { hostAddress, RENTED } from "../networks.ts";
import { front } from "../pages.ts";
import type { Draw } from "../random.ts";
import { type Label, perSecond, type Scenario, scriptFor } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 50_000;
const REQS_PER_SECOND = 4;
const FOLDERS = [
  "",
  "/admin",
  "/backup",
  "/old",
  "/wp-content",
  "/api",
  "/.git",
  "/config",
  "/test",
  "/vendor",
];
const NAMES =
  "index login setup debug env db dump users shell phpinfo config install upload console status".split(" ");
const ENDINGS = [".php", ".bak", ".zip", ".sql", ".env", ".old", "", "/", ".json", ".aspx"];

function word(draw: Draw): string {
  return `${draw.pick(FOLDERS)}/${draw.pick(NAMES)}${draw.chance(0.3) ? draw.int(9) : ""}${draw.pick(ENDINGS)}`;
}

export const pathScan: Scenario = {
  name: "path-scan",
  durationMs: DURATION_MS,
  play(stage) {
    const client = scriptFor("path-scan", stage);
    const label: Label = {
      scene: "path-scan",
      title: "Path scan",
      sentence: `a scanner guesses ${REQS_PER_SECOND} paths a second from a word list, nearly all answered 404`,
      ja4: [client.ja4],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: ["path_scan", "error_burst"],
      also: ["surge", "slow_surge", "cache_bust", "bot_shift", "divergence", "rank_shift", "rare_here_hot"],
    };
    const asn = RENTED[stage.round % RENTED.length] ?? 0;
    return perSecond(stage, label, {
      rate: () => REQS_PER_SECOND,
      request(timestamp, draw) {
        const agent = draw.weighted(client.agents);
        const modern = draw.chance(client.h2h3);
        const hit = front(
          word(draw),
          draw.weighted([
            [404, 92],
            [403, 5],
            [200, 3],
          ]),
        );
        const ip = hostAddress(stage.round, 66);
        return observe(client, hit, { timestamp, asn, ip, agent, known: true, modern }, draw);
      },
    });
  },
};
