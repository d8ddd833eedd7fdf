/** An edge isolate: the real observer in modules of its own; requests that the platform ends, with whatever they wait for. */
import type { Draw } from "../../src/simulate/random.ts";
import { Context, type Kernel } from "./kernel.ts";
import type { Observed } from "./product.ts";

/** The platform ends what runs behind a response after this long. */
const WAIT_UNTIL_MS = 30_000;

/** What a world's visitors are made of. */
export interface Visitors {
  readonly site: string;
  readonly ja4s: readonly string[];
  /** A number that no other observation has; it travels as the network. */
  nextAsn(): number;
}

/** One request, which ends when its work is done, or is ended. */
class VisitorRequest extends Context {
  readonly #isolate: Isolate;

  constructor(isolate: Isolate) {
    super(isolate.name);
    this.#isolate = isolate;
  }

  override get isAlive(): boolean {
    return super.isAlive && this.#isolate.isAlive;
  }

  override get skewMs(): number {
    return this.#isolate.skewMs;
  }
}

export class Isolate {
  readonly name: string;
  readonly #kernel: Kernel;
  readonly #env: object;
  readonly #observed: Observed;
  readonly #visitors: Visitors;
  skewMs: number;
  isAlive = true;
  /** Observations so far. */
  made = 0;

  constructor(
    name: string,
    kernel: Kernel,
    env: object,
    observed: Observed,
    visitors: Visitors,
    skewMs: number,
  ) {
    this.name = name;
    this.#kernel = kernel;
    this.#env = env;
    this.#observed = observed;
    this.#visitors = visitors;
    this.skewMs = skewMs;
  }

  /** Rows that are held or in flight. */
  get isDrained(): boolean {
    const { rows, lanes } = this.#observed.isolateOf(this.#env).observer.batch;
    return rows === 0 && lanes.inflight === 0;
  }

  /** A visitor comes by; `draw` decides who. */
  visit(draw: Draw): void {
    const kernel = this.#kernel;
    const { site, ja4s, nextAsn } = this.#visitors;
    const ja4 = draw.chance(0.05) ? undefined : ja4s[Math.floor(draw.uniform() ** 2 * ja4s.length)];
    const asn = nextAsn();
    const headers: Record<string, string> = {
      "user-agent": `agent ${draw.int(5)}`,
      "cf-connecting-ip": `192.0.2.${draw.int(200)}`,
    };
    const request = {
      method: "GET",
      url: `https://www.shop.example/page/${draw.int(20)}`,
      headers: { get: (name: string) => headers[name] ?? null },
      cf: { asn, httpProtocol: "HTTP/2", ...(ja4 === undefined ? {} : { botManagement: { ja4 } }) },
    };
    const response = { status: draw.chance(0.1) ? 404 : 200, headers: { get: () => null } };
    // It may have come some seconds before its response went out.
    const tookMs = draw.int(draw.chance(0.05) ? 20_000 : 500);
    const context = new VisitorRequest(this);
    kernel.after(0, context, "visit", () => {
      const { observer, options } = this.#observed.isolateOf(this.#env);
      const nowMs = kernel.nowMs + this.skewMs - tookMs;
      this.made++;
      const work = this.#observed.observeExchange(site, request, response, nowMs, options, observer);
      if (work === undefined) return context.die();
      void work.then(() => context.die());
      kernel.after(WAIT_UNTIL_MS, context, "request ended", () => context.die());
    });
  }
}
