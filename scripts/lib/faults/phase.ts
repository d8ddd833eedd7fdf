/** What goes on while one part is down (`parts`): visitors, uploads to what works, and questions to all that there is. */
import { setTimeout as sleep } from "node:timers/promises";
import { shardOf } from "../../../src/base/hash.ts";
import type { Answer } from "../../../test/support/client.ts";
import { visit } from "../../../test/support/origin.ts";
import { feedPath, handshake } from "../../../test/support/stream.ts";
import { exactly, type Figure, quantile } from "./fault.ts";
import { type Batch, makeBatch, send } from "./ledger.ts";
import type { FaultServer } from "./server.ts";

export const SITE = "shop";
export const HOST = "www.shop.example";
export const SHARDS = 4;
/** The shard that fails when one does. */
export const DOWN_SHARD = 2;
/** Fingerprints of this life cross the run's threshold. */
export const RAISING_LIFE = 9_000;
const THERE_LIFE = 8_000;
/** Far above a visitor's usual milliseconds and below any time-out of the product (the shortest on the way is 3 s). */
export const VISIT_SLOW_MS = 1_000;
const VISITORS = 6;
const VISIT_EVERY_MS = 20;
const UPLOAD_EVERY_MS = 40;
const FINGERPRINTS = 3;
/** A question that is not answered within this counts as hanging: above every time-out that an answer may wait for. */
const ANSWER_MAX_MS = 10_000;
const EPOCH = 1;

function isOn(shard: number): (key: string) => boolean {
  return (key) => shardOf(key, SHARDS, EPOCH) === shard;
}
const isElsewhere = (key: string) => !isOn(DOWN_SHARD)(key);

/** Visitors of the site, from the start of the run to its end. */
export class Visitors {
  sent = 0;
  failed = 0;
  slow = 0;
  readonly #latenciesMs: number[] = [];
  readonly #server: FaultServer;
  readonly #loops: Promise<unknown>;
  #stopped = false;

  constructor(server: FaultServer) {
    this.#server = server;
    const loop = async () => {
      while (!this.#stopped) {
        await this.one();
        await sleep(VISIT_EVERY_MS);
      }
    };
    this.#loops = Promise.all(Array.from({ length: VISITORS }, loop));
  }

  /** One visitor, who must get his own words back. */
  async one(): Promise<void> {
    const n = this.sent++;
    const fromMs = performance.now();
    const cf = { botManagement: { ja4: `q13d0312h3_${`${n % 50}`.padStart(12, "0")}_02713d6af862` } };
    const body = `visitor ${n}`;
    const got = await visit(this.#server.url, { host: HOST, method: "POST", body, cf }).catch(
      () => undefined,
    );
    const ms = performance.now() - fromMs;
    if (got?.status !== 200 || `${got.body}` !== body) this.failed++;
    if (ms >= VISIT_SLOW_MS) this.slow++;
    this.#latenciesMs.push(ms);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loops;
  }

  latencies(): string {
    const ms = (share: number) => `${quantile(this.#latenciesMs, share).toFixed(1)} ms`;
    return `${ms(0.5)} / ${ms(0.99)}`;
  }
}

/** A question and what it must be answered. */
interface Question {
  readonly name: string;
  ask(): Promise<Pick<Answer, "status" | "headers" | "text">>;
  /** 200, or 503 with Retry-After where the part itself is asked. */
  readonly down: boolean;
  readonly partial?: boolean;
}

/** One part down in one way. */
export class Phase {
  readonly life: number;
  /** Every upload of this phase, and those of them that were refused. */
  readonly uploads: Batch[] = [];
  readonly refused: Batch[] = [];
  /** An upload that crosses the threshold. */
  readonly raising: Batch;
  /** An upload whose key and rows belong to the shard that may be down; part of it may be taken, so it is repeated later. */
  readonly there: Batch;
  readonly #server: FaultServer;
  readonly #part: string;
  readonly #wrong: string[] = [];
  #asked = 0;
  #refusedElsewhere = 0;

  constructor(server: FaultServer, part: string, index: number) {
    this.#server = server;
    this.#part = part;
    this.life = index;
    this.raising = makeBatch(RAISING_LIFE, this.#number(RAISING_LIFE, index), 1, Date.now(), isElsewhere);
    let number = 0;
    while (!isOn(DOWN_SHARD)(`${THERE_LIFE + index}-${number}`)) number++;
    this.there = makeBatch(THERE_LIFE + index, number, 1, Date.now(), isOn(DOWN_SHARD));
  }

  /** Load for `ms`, with questions to everything unless they are left out; until the last of them is answered. */
  async run(ms: number, asks: boolean): Promise<void> {
    const untilMs = performance.now() + ms;
    await this.#upload(this.raising, true);
    const uploads = async () => {
      for (let n = 0; performance.now() < untilMs; n++) {
        const number = this.#number(this.life, n);
        await this.#upload(makeBatch(this.life, number, FINGERPRINTS, Date.now(), isElsewhere), false);
        await sleep(UPLOAD_EVERY_MS);
      }
    };
    const questions = async () => {
      while (asks && performance.now() < untilMs) {
        await Promise.all(this.#questions().map((question) => this.#ask(question)));
      }
    };
    await Promise.all([uploads(), questions()]);
  }

  figures(how: string): Figure[] {
    const where = this.#part === "nothing" ? "nothing down" : `${this.#part} ${how}`;
    const first = this.#wrong[0] === undefined ? "" : ` (${this.#wrong[0]})`;
    return [
      exactly(`${where}: of ${this.uploads.length} uploads to what works refused`, this.#refusedElsewhere, 0),
      ...(this.#asked === 0
        ? []
        : [
            exactly(
              `${where}: of ${this.#asked} answers not as they should be${first}`,
              this.#wrong.length,
              0,
            ),
          ]),
    ];
  }

  /** The `n`th number whose key has its home on a shard that works. */
  #number(life: number, n: number): number {
    let number = n * 100;
    while (!isElsewhere(`${life}-${number}`)) number++;
    return number;
  }

  async #upload(batch: Batch, isRaising: boolean): Promise<void> {
    if (!isRaising) this.uploads.push(batch);
    const answer = await inTime(() => send(this.#server.client, SITE, batch));
    if (answer?.status === 202) return;
    this.refused.push(batch);
    this.#refusedElsewhere++;
  }

  /** All that can be asked; `down` where the part that fails is asked itself. */
  #questions(): Question[] {
    const { client } = this.#server;
    const get = (path: string) => () => client.get(`/v1/sites/${SITE}/${path}`);
    const elsewhere = this.raising.ja4s[0]!;
    const isDown = (part: string) => this.#part === part;
    return [
      { name: "list", ask: get("fingerprints?limit=5"), down: false, partial: isDown("shard") },
      { name: "summary", ask: get("summary"), down: false, partial: isDown("shard") },
      { name: "a fingerprint", ask: get(`fingerprints/${elsewhere}`), down: false },
      { name: "thresholds", ask: get("thresholds"), down: isDown("settings") },
      { name: "feed", ask: () => this.#feed(), down: isDown("feed") },
      ...(isDown("shard")
        ? [
            {
              name: "a fingerprint of the shard",
              ask: get(`fingerprints/${this.there.ja4s[0]}`),
              down: true,
            },
            { name: "an upload to the shard", ask: () => this.#uploadThere(), down: true },
          ]
        : []),
    ];
  }

  async #feed(): Promise<Pick<Answer, "status" | "headers" | "text">> {
    const answer = await handshake(this.#server, feedPath(SITE));
    return answer.status === 101 ? { ...answer, status: 200 } : answer;
  }

  async #uploadThere(): Promise<Pick<Answer, "status" | "headers" | "text">> {
    const answer = await send(this.#server.client, SITE, this.there);
    return answer ?? { status: 0, headers: new Headers(), text: "" };
  }

  async #ask({ name, ask, down, partial = false }: Question): Promise<void> {
    this.#asked++;
    const answer = await inTime(ask);
    if (answer === undefined) this.#wrong.push(`${name}: no answer within ${ANSWER_MAX_MS} ms`);
    else if (answer.status !== (down ? 503 : 200)) this.#wrong.push(`${name}: ${answer.status}`);
    else if (down && !answer.headers.has("retry-after")) this.#wrong.push(`${name}: no Retry-After`);
    else if (partial && !answer.text.includes(`"partial":{"missing_shards":[${DOWN_SHARD}]}`)) {
      this.#wrong.push(`${name}: does not say what is missing`);
    }
  }
}

/** `undefined` when the answer takes too long, or the connection breaks. */
function inTime<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  const late = sleep(ANSWER_MAX_MS, undefined, { ref: false });
  return Promise.race([ask().catch(() => undefined), late]);
}
