/** Credential stuffing, the loud kind: one client tries stolen passwords from two addresses a request. */
import { address, RENTED } from "../networks.ts";
import { login } from "../pages.ts";
import { type Label, perSecond, type Scenario, scriptFor } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 60_000;
const REQS_PER_SECOND = 15;
/** The lists are old: a few passwords still work. */
const FAILS = 0.97;

export const stuffing: Scenario = {
  name: "stuffing",
  durationMs: DURATION_MS,
  play(stage) {
    const client = scriptFor("stuffing", stage);
    const label: Label = {
      scene: "stuffing",
      title: "Credential stuffing",
      sentence: `a script posts ${REQS_PER_SECOND} stolen passwords a second to /login, nearly all answered 401`,
      ja4: [client.ja4],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: ["surge", "error_burst"],
      also: [
        "slow_surge",
        "ip_spread",
        "cache_bust",
        "bot_shift",
        "divergence",
        "rank_shift",
        "rare_here_hot",
      ],
    };
    return perSecond(stage, label, {
      rate: () => REQS_PER_SECOND,
      request(timestamp, draw) {
        const asn = draw.pick(RENTED);
        const agent = draw.weighted(client.agents);
        const modern = draw.chance(client.h2h3);
        const hit = login(draw.chance(FAILS) ? 401 : 302);
        return observe(
          client,
          hit,
          { timestamp, asn, ip: address(asn, draw), agent, known: true, modern },
          draw,
        );
      },
    });
  },
};
