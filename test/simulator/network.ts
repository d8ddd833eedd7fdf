/** Calls between isolates, clients and objects: by copies, over a network that loses, repeats and delays them. */
import { Actor, type ObjectClass, platformError, type Surroundings } from "./actor.ts";
import { copied } from "./copy.ts";
import type { Faults } from "./faults.ts";
import type { Context, Kernel } from "./kernel.ts";
import { Socket } from "./socket.ts";

/** Whoever looks on: what was called, and which answers left their object or reached their caller. */
export interface Witness {
  called(caller: Context, actor: Actor, method: string, parameters: unknown[]): void;
  answerLeft(actor: Actor, method: string, parameters: unknown[], value: unknown): void;
  answerArrived(caller: Context, actor: Actor, method: string, parameters: unknown[], value: unknown): void;
}

/** Calls whose repeat, however late, must change nothing; a write of a user's is done as often as it arrives. */
const REPEATABLE = new Set(["ingest", "append", "applySettings", "exchange", "rankTables"]);

/** The product's classes, by the name of their binding. */
export type Bindings = Readonly<Record<string, ObjectClass>>;

export class Network implements Surroundings {
  readonly kernel: Kernel;
  readonly env: Record<string, unknown>;
  readonly #faults: Faults;
  readonly #witness: Witness;
  readonly #actors = new Map<string, Actor>();

  constructor(
    kernel: Kernel,
    faults: Faults,
    bindings: Bindings,
    settings: Record<string, unknown>,
    witness: Witness,
  ) {
    this.kernel = kernel;
    this.#faults = faults;
    this.#witness = witness;
    this.env = { ...settings };
    for (const [binding, made] of Object.entries(bindings)) {
      const getByName = (name: string) => this.#stub(this.actor(name, made));
      const namespace = { getByName, jurisdiction: () => namespace };
      this.env[binding] = namespace;
    }
  }

  get actors(): readonly Actor[] {
    return [...this.#actors.values()];
  }

  /** The object of that name, if it was ever reached. */
  known(name: string): Actor | undefined {
    return this.#actors.get(name);
  }

  actor(name: string, made: ObjectClass): Actor {
    let actor = this.#actors.get(name);
    if (actor === undefined) {
      actor = new Actor(name, made, this);
      this.#actors.set(name, actor);
    }
    return actor;
  }

  commit(): { ms: number; fails: boolean } {
    return this.#faults.ofCommit();
  }

  latencyMs(): number {
    return this.#faults.latencyMs();
  }

  /** Calls a method of an object for the context whose turn it is. */
  call(actor: Actor, method: string, parameters: readonly unknown[]): Promise<unknown> {
    const caller = this.kernel.current;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // A request that opens a socket is handed over as it is; everything else as a copy.
    const sent = method === "fetch" ? [...parameters] : parameters.map(copied);
    caller.waiting++;
    caller.output(() => {
      this.#witness.called(caller, actor, method, sent);
      this.#carry(caller, actor, method, sent, (value, error) => {
        caller.waiting--;
        if (error === undefined) resolve(value);
        else reject(error);
      });
    });
    return promise;
  }

  #carry(
    caller: Context,
    actor: Actor,
    method: string,
    parameters: unknown[],
    settle: (value: unknown, error?: Error) => void,
  ): void {
    const { kernel } = this;
    const fate = this.#faults.ofCall(REPEATABLE.has(method));
    let isSettled = false;
    const once = (value: unknown, error?: Error) => {
      if (isSettled) return drop(value);
      isSettled = true;
      settle(value, error);
    };
    if (fate.failsMs !== undefined) {
      const [text, properties] = fate.overloaded
        ? ["Durable Object is overloaded.", { overloaded: true }]
        : ["Network connection lost.", { retryable: true }];
      kernel.after(fate.failsMs, caller, `${method} fails`, () =>
        once(undefined, platformError(text, properties)),
      );
    }
    const answered = (value: unknown) => {
      this.#witness.answerLeft(actor, method, parameters, value);
      if (fate.failsMs !== undefined || !caller.isAlive) return drop(value);
      const copy = method === "fetch" ? value : copied(value);
      kernel.after(fate.answerMs, caller, `${method} answered`, () => {
        if (!isSettled) this.#witness.answerArrived(caller, actor, method, parameters, value);
        once(copy);
      });
    };
    const failed = (error: Error) => {
      if (fate.failsMs !== undefined) return;
      kernel.after(fate.answerMs, caller, `${method} failed`, () => once(undefined, error));
    };
    for (const ms of fate.arrivesMs) {
      kernel.after(ms, actor.door, method, () => {
        const delivered = method === "fetch" ? parameters : parameters.map(copied);
        actor.deliver({ method, parameters: delivered, answered, failed });
      });
    }
  }

  #stub(actor: Actor): unknown {
    return new Proxy(
      {},
      {
        get: (_, method) => {
          // An awaited stub is no promise.
          if (typeof method !== "string" || method === "then") return undefined;
          return (...parameters: unknown[]) => this.call(actor, method, parameters);
        },
      },
    );
  }
}

/** An answer that nobody takes; a socket in it would stay open for good. */
function drop(value: unknown): void {
  const { webSocket } = (value ?? {}) as { webSocket?: unknown };
  if (webSocket instanceof Socket) webSocket.cut();
}
