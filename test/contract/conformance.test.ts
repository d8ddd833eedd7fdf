/** The whole API held to /openapi.json by requests that are made from it; new routes come in by themselves. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingestAll, ja4Of } from "../support/client.ts";
import type { Schema } from "../support/json-schema.ts";
import { operationsOf } from "../support/operations.ts";
import { startServer } from "../support/server.ts";
import { Conformance, type Report } from "./helpers/conformance.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITE = "shop";
const KNOWN = [ja4Of(1), ja4Of(2), ja4Of(3, "q13d0312h3")];
/** Both can be set from outside, for other and longer runs. */
const SEED = Number(process.env.CONFORMANCE_SEED ?? 20_261_123);
const CASES = Number(process.env.CONFORMANCE_CASES ?? 60);
/** Of the one or two operations that a lie is about: whether a lie is found must not hang on few draws. */
const LIE_CASES = 400;

const SCOPES = ["ingest", "read", "feed", "write", "admin"];
const foreign = tokenOf("foreign", SCOPES, ["api"]);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let document: Schema;

beforeAll(async () => {
  server = await startServer({ sites: [SITE, "api"], env: { API_TOKENS: apiTokens([foreign]) } });
  client = createClient(server);
  await ingestAll(
    client,
    SITE,
    KNOWN.flatMap((ja4) =>
      Array.from({ length: 5 }, (_, i) => ({ timestamp: Date.now() - 1_000 - i, ja4, status: 200 })),
    ),
  );
  document = (await client.get("/openapi.json", { token: null })).json<Schema>();
}, 30_000);
afterAll(() => server?.stop());

function run(told: Schema, cases: number): Promise<Report> {
  const options = {
    client,
    site: SITE,
    foreignToken: foreign.token,
    known: { ja4: KNOWN },
    seed: SEED,
    cases,
  };
  return new Conformance({ ...options, document: told }).run();
}

describe(`requests made from /openapi.json, seed ${SEED}, ${CASES} an operation`, () => {
  it("CONF-1: every answer is one that the document describes and the contract allows", async () => {
    const { faults, seen } = await run(document, CASES);
    expect(faults).toEqual([]);
    const operations = operationsOf(document).map(({ id }) => id);
    expect([...seen.keys()]).toEqual(operations);
  }, 600_000);

  it("CONF-2: the engine logged no uncaught error meanwhile", () => {
    expect(server.stderr()).not.toMatch(/uncaught|request_failed|unhandled/i);
  });

  it.each<[string, (lie: Lie) => void]>([
    [
      "a member of an answer is of another type",
      (lie) => lie.set("components/schemas/Health/properties/version", { type: "integer" }),
    ],
    [
      "an answer has a member more",
      (lie) => lie.set("components/schemas/Sites/required", ["sites", "total"]),
    ],
    [
      "a status is left out",
      (lie) => lie.drop("paths/~1v1~1sites~1{site}~1fingerprints~1{ja4}/get/responses/404"),
    ],
    [
      "an error has another media type",
      (lie) =>
        lie.drop("paths/~1v1~1sites~1{site}~1summary/get/responses/401/content/application~1problem+json"),
    ],
    [
      "a parameter has a narrower range",
      (lie) => lie.set("paths/~1v1~1sites~1{site}~1fingerprints/get/parameters/5/schema/maximum", 1),
    ],
    [
      "a member is required",
      (lie) =>
        lie.set("components/schemas/DetectionInput/required", ["alert_budget_per_day", "delay", "storm"]),
    ],
    ["a route is open", (lie) => lie.set("paths/~1v1~1sites/get/security", [])],
    ["a route needs a token", (lie) => lie.set("paths/~1healthz/get/security", [{ token: [] }])],
    [
      "a body has another media type",
      (lie) =>
        lie.set("paths/~1v1~1sites~1{site}~1fingerprints~1lookup/post/requestBody/content", {
          "application/xml": { schema: {} },
        }),
    ],
  ])(
    "CONF-3: a planted lie is found: %s",
    async (_, tell) => {
      const lie = new Lie(document);
      tell(lie);
      const { faults } = await run(lie.document, LIE_CASES);
      expect(faults).not.toEqual([]);
    },
    600_000,
  );
});

/** A copy of the document that can be made to say what is not so; only the paths that were touched are kept, to be quick. */
class Lie {
  readonly #whole: Schema;
  readonly #touched: string[] = [];

  constructor(document: Schema) {
    this.#whole = structuredClone(document);
  }

  set(pointer: string, value: unknown): void {
    const [holder, key] = this.#place(pointer);
    Reflect.set(holder, key, value);
  }

  drop(pointer: string): void {
    const [holder, key] = this.#place(pointer);
    expect(Reflect.deleteProperty(holder, key)).toBe(true);
  }

  get document(): Schema {
    const paths = Object.entries(this.#whole.paths as Schema);
    const schema = this.#touched[2] ?? "";
    const kept =
      this.#touched[0] === "paths"
        ? paths.filter(([template]) => template === this.#touched[1])
        : paths.filter(([, item]) => JSON.stringify(item).includes(`/${schema}"`));
    return { ...this.#whole, paths: Object.fromEntries(kept) };
  }

  #place(pointer: string): [object, string] {
    const steps = pointer.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    this.#touched.splice(0, 3, ...steps.slice(0, 3));
    const key = steps.at(-1) ?? "";
    const holder = steps
      .slice(0, -1)
      .reduce<unknown>((node, step) => Reflect.get(node as object, step), this.#whole);
    // A lie about what is not there would be none.
    expect(holder).toBeTypeOf("object");
    return [holder as object, key];
  }
}
