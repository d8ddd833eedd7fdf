/**
 * The API held to its own document, in the way of schemathesis: requests are made from what the document says, some with a
 * flaw of a known kind, and every answer must be one that the document and the contract allow for that kind.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { type Answer, type Client, encodeBody, nullsIn, problemFaults } from "../../support/client.ts";
import {
  arbitraryOf,
  type Break,
  breakArbitrary,
  broken,
  isRecord,
  type Schema,
  withoutNulls,
} from "../../support/json-schema.ts";
import { type Operation, operationsOf, type Parameter } from "../../support/operations.ts";
import { type OpenApi, openApiOf } from "./openapi.ts";

/** What is wrong with a request; `none`: nothing that the document knows of. */
const FLAWS = [
  ...([
    "none",
    "none",
    "none",
    "none",
    "no token",
    "unknown token",
    "token of another site",
    "path",
  ] as const),
  ...([
    "query",
    "header",
    "media type",
    "undecodable",
    "no body",
    "body",
    "body",
    "too large",
    "method",
  ] as const),
];
export type Flaw = (typeof FLAWS)[number];

/** A request as it was drawn; numbers pick among what is known when it is sent. */
interface Case {
  readonly flaw: Flaw;
  /** Picks among flawed values and the like. */
  readonly pick: number;
  readonly path: Readonly<Record<string, string | number>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly type: string;
  readonly body: unknown;
  readonly breaks: readonly Break[];
}

interface Sent {
  readonly flaw: Flaw;
  readonly answer: Answer;
}

export interface Report {
  readonly faults: readonly string[];
  /** Answers by operation and status. */
  readonly seen: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

export interface ConformanceOptions {
  readonly client: Client;
  readonly document: Schema;
  readonly site: string;
  /** A token with every scope on another site. */
  readonly foreignToken: string;
  /** Path values that exist, by name. */
  readonly known: Readonly<Record<string, readonly string[]>>;
  readonly seed: number;
  /** Requests of each operation. */
  readonly cases: number;
}

/** Headers that change what an answer is, or whose they are: never drawn. */
const HEADERS_LEFT_OUT = [
  "accept",
  "authorization",
  "upgrade",
  "origin",
  "last-event-id",
  "cf-access-jwt-assertion",
];
const PATH_FLAWS = ["UPPER!", "%ff", "%00", "é", "x".repeat(300), "a b", "'", "..;"];
const QUERY_FLAWS = [
  "-1",
  "2",
  "0",
  "1e9",
  "nope",
  "é",
  "1.5",
  "NaN",
  "x".repeat(300),
  "*".repeat(65),
  "%00",
  "[]",
];
const HEADER_FLAWS = ["br", "x".repeat(200)];
const UNDECODABLE = ["{", "[", "}{", '{"a":', "\u0000", '{"a":01}', "[1,]", "nul", "\xff"];
/** Of what is created one of so many stays. */
const KEPT_ONE_OF = 4;
const TOO_LARGE_BYTES = 1_200_000;
/** The document of all settings may be larger than any of them. */
const TOO_LARGE_DOCUMENT_BYTES = 9_000_000;
const ID_FORM = "^[a-z0-9][a-z0-9-]{0,20}$";
const INVALID = [400, 415, 422];

export class Conformance {
  readonly #options: ConformanceOptions;
  readonly #openApi: OpenApi;
  readonly #operations: readonly Operation[];
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #validators = new Map<Schema, ValidateFunction>();
  /** Ids that answers named, by the collection that they belong to. */
  readonly #ids = new Map<string, Set<string>>();
  readonly #seen = new Map<string, Map<number, number>>();

  constructor(options: ConformanceOptions) {
    this.#options = options;
    this.#openApi = openApiOf(options.document);
    this.#operations = operationsOf(options.document);
  }

  /** Sends all cases of every operation. */
  async run(): Promise<Report> {
    const faults: string[] = [];
    for (const operation of this.#operations) faults.push(...(await this.#hold(operation)));
    return { faults, seen: this.#seen };
  }

  async #hold(operation: Operation): Promise<string[]> {
    const { seed, cases } = this.#options;
    let accepted = false;
    const property = fc.asyncProperty(this.#caseOf(operation), async (drawn) => {
      const { flaw, answer } = await this.#send(operation, drawn);
      this.#note(operation, answer);
      accepted ||= flaw === "none" && !INVALID.includes(answer.status);
      const found = [...this.#faults(operation, answer, flaw), ...this.#flawFaults(operation, answer, flaw)];
      if (found.length > 0) throw new Error(found.join("; "));
    });
    const details = await fc.check(property, { seed, numRuns: cases });
    if (details.failed) {
      const error = details.errorInstance;
      const why = error instanceof Error ? error.message : String(error);
      return [
        `${operation.id} (seed ${details.seed}, path ${details.counterexamplePath}): ${why}
  ${JSON.stringify(details.counterexample)?.slice(0, 600)}`,
      ];
    }
    return accepted
      ? []
      : [`${operation.id}: no request that the document allows was taken as valid (seed ${seed})`];
  }

  #caseOf(operation: Operation): fc.Arbitrary<Case> {
    const { document, known, site } = this.#options;
    const of = (where: Parameter["in"]) =>
      operation.parameters.filter(
        (one) => one.in === where && !HEADERS_LEFT_OUT.includes(one.name.toLowerCase()),
      );
    const values = (where: Parameter["in"]) => {
      const all = of(where);
      const members = Object.fromEntries(
        all.map(({ name, schema }) => [name, arbitraryOf(schema, document)]),
      );
      const requiredKeys = all.filter(({ required }) => required).map(({ name }) => name);
      return fc.record(members, { requiredKeys, noNullPrototype: true });
    };
    const inPath = Object.fromEntries(
      of("path").map(({ name, schema }): [string, fc.Arbitrary<string | number>] => {
        if (name === "site") return [name, fc.constant(site)];
        // An id that the document says nothing of must still be a plausible one; what is not is the flaw `path`.
        const made = arbitraryOf({ pattern: ID_FORM, ...schema }, document)
          .map(String)
          .filter((text) => text !== "" && text !== "." && text !== "..");
        const some = known[name];
        return [name, fc.oneof(made, some === undefined ? fc.nat() : fc.constantFrom(...some))];
      }),
    );
    const types = [...operation.bodies.keys()];
    const content = types.map((type) =>
      fc.record({
        type: fc.constant(type),
        body: isLines(type)
          ? fc.array(arbitraryOf(operation.bodies.get(type) ?? {}, document), { maxLength: 3 })
          : arbitraryOf(operation.bodies.get(type) ?? {}, document),
      }),
    );
    return fc
      .record({
        flaw: fc.constantFrom(...FLAWS.filter((flaw) => this.#applies(flaw, operation))),
        pick: fc.nat(),
        path: fc.record(inPath, { noNullPrototype: true }),
        query: values("query"),
        headers: values("header"),
        content: content.length === 0 ? fc.constant({ type: "", body: undefined }) : fc.oneof(...content),
        breaks: fc.array(breakArbitrary, { minLength: 1, maxLength: 2 }),
      })
      .map(({ content: { type, body }, ...rest }) => ({ ...rest, type, body }));
  }

  #applies(flaw: Flaw, { open, parameters, bodies, needsBody, template }: Operation): boolean {
    const has = (where: Parameter["in"]) => parameters.some((one) => one.in === where);
    switch (flaw) {
      case "no token":
      case "unknown token":
        return !open;
      case "token of another site":
        return !open && template.includes("{site}");
      case "path":
        return has("path");
      case "query":
        return has("query");
      case "header":
        return parameters.some((one) => one.in === "header" && isClosed(one.schema));
      case "media type":
        return bodies.size > 0 && !bodies.has("*/*");
      case "undecodable":
      case "body":
        return bodies.size > 0;
      case "too large":
        return isJsonOnly(bodies);
      case "no body":
        return isJsonOnly(bodies) && needsBody;
      default:
        return true;
    }
  }

  async #send(operation: Operation, drawn: Case): Promise<Sent> {
    const { client, foreignToken } = this.#options;
    const path = this.#pathOf(operation, drawn);
    let flaw = drawn.flaw;
    const query = Object.entries(drawn.query).map(([name, value]): [string, string] => [name, String(value)]);
    if (flaw === "query" && !spoilQuery(operation, query, drawn.pick)) flaw = "none";
    const headers = Object.fromEntries(
      Object.entries(drawn.headers)
        .filter(([, value]) => value !== undefined && /^[\x21-\x7e]+$/.test(String(value)))
        .map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    // A precondition, or another encoding, would hide what else is wrong.
    if (flaw !== "none")
      for (const name of ["if-match", "if-none-match", "content-encoding"]) delete headers[name];
    if (headers["content-encoding"] === "gzip") delete headers["content-encoding"];
    if (flaw === "header") spoilHeader(operation, headers, drawn.pick);
    const content = this.#contentOf(operation, drawn, flaw);
    if (content !== undefined) headers["content-type"] = content.type;
    const method = flaw === "method" ? this.#otherMethod(operation, drawn.pick) : operation.method;
    const asked = query.length === 0 ? path : `${path}?${new URLSearchParams(query)}`;
    const answer = await client.send(method, asked, {
      headers,
      ...(content === undefined ? {} : { body: content.bytes }),
      ...(flaw === "no token" || operation.open ? { token: null } : {}),
      ...(flaw === "unknown token" ? { token: `unknown-${drawn.pick}` } : {}),
      ...(flaw === "token of another site" ? { token: foreignToken } : {}),
    });
    if (answer.status === 201 && drawn.pick % KEPT_ONE_OF !== 0) await this.#tidyUp(answer);
    return { flaw: content?.flaw ?? flaw, answer };
  }

  /** Takes away what was created, or a site is soon full and refuses everything alike. */
  async #tidyUp(answer: Answer): Promise<void> {
    const { pathname } = new URL(answer.headers.get("location") ?? answer.path, "http://host");
    const removable = this.#operations.some(
      ({ method, template }) =>
        method === "DELETE" && new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(pathname),
    );
    if (removable) await this.#options.client.delete(pathname);
  }

  #pathOf(operation: Operation, { flaw, path, pick }: Case): string {
    const names = Object.keys(path);
    const spoilt = flaw === "path" ? names[pick % names.length] : undefined;
    return operation.template.replace(/\{(\w+)\}/g, (_, name: string) => {
      if (name === spoilt) {
        const schema =
          operation.parameters.find((one) => one.in === "path" && one.name === name)?.schema ?? {};
        const form = new RegExp(String(schema.pattern ?? "^(?!)"), "u");
        const values = PATH_FLAWS.filter((value) => !form.test(value));
        return values[pick % values.length]?.replace(/[^%\w.-]/g, encodeURIComponent) ?? "";
      }
      const value = path[name] ?? "";
      if (typeof value === "string") return encodeURIComponent(value);
      const ids = [...(this.#ids.get(collectionOf(operation.template)) ?? [])];
      return encodeURIComponent(ids[value % ids.length] ?? `unknown-${value % 10}`);
    });
  }

  /** The body and what is wrong with it: a broken value may still be one that the document allows. */
  #contentOf(
    operation: Operation,
    drawn: Case,
    flaw: Flaw,
  ): { type: string; bytes: Uint8Array<ArrayBuffer>; flaw: Flaw } | undefined {
    const { type, pick } = drawn;
    const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, text === "\xff" ? "latin1" : "utf8"));
    if (type === "" || flaw === "method") return undefined;
    if (flaw === "media type") return { type: "text/plain", bytes: bytesOf("{}"), flaw };
    if (flaw === "undecodable")
      return { type, bytes: bytesOf(UNDECODABLE[pick % UNDECODABLE.length] ?? ""), flaw };
    if (flaw === "no body") return { type, bytes: bytesOf(""), flaw: "undecodable" };
    if (flaw === "too large")
      return {
        type,
        bytes: bytesOf(
          `"${"x".repeat(operation.id === "putSettings" ? TOO_LARGE_DOCUMENT_BYTES : TOO_LARGE_BYTES)}"`,
        ),
        flaw,
      };
    const body = flaw === "body" ? drawn.breaks.reduce(broken, drawn.body) : drawn.body;
    const fits =
      isJsonOnly(operation.bodies) && this.#validator(operation.bodies.get(type) ?? {})(withoutNulls(body));
    return { type, bytes: encode(type, body), flaw: flaw === "body" && fits ? "none" : flaw };
  }

  #validator(schema: Schema): ValidateFunction {
    const found =
      this.#validators.get(schema) ??
      // References are to the document's components, wherever the schema stands in it.
      this.#ajv.compile({ ...schema, components: this.#options.document.components });
    this.#validators.set(schema, found);
    return found;
  }

  #otherMethod({ template }: Operation, pick: number): string {
    const known = this.#operations.filter((one) => mayBe(one.template, template)).map(({ method }) => method);
    const others = ["PATCH", "GET", "POST", "PUT", "DELETE"].filter((method) => !known.includes(method));
    return others[pick % others.length] ?? "PATCH";
  }

  /** What may never be, whatever was asked. */
  #faults(operation: Operation, answer: Answer, flaw: Flaw): string[] {
    const { status, headers, text } = answer;
    const label = `${flaw}: ${answer.method} ${answer.path.slice(0, 200)} → ${status}`;
    const needs = (name: string) => (headers.has(name) ? [] : [`${label}: no ${name}`]);
    const faults = flaw === "method" ? [] : this.#openApi.faults(answer).map((fault) => `${flaw}: ${fault}`);
    if (status >= 500) faults.push(`${label}: ${text.slice(0, 300)}`);
    if (status >= 400) faults.push(...problemFaults(answer, status).map((fault) => `${label}: ${fault}`));
    if (status === 401 && !/^Bearer\b/.test(headers.get("www-authenticate") ?? ""))
      faults.push(`${label}: no challenge`);
    if (status === 405) faults.push(...needs("allow"));
    if (status === 429 || status === 503) faults.push(...needs("retry-after"));
    if (status === 201 && operation.method === "POST") faults.push(...needs("location"));
    if (status === 204 && text !== "") faults.push(`${label}: a body`);
    const values = (headers.get("content-type") ?? "").includes("x-ndjson")
      ? text.split("\n").filter(Boolean)
      : [text];
    if (/json/.test(headers.get("content-type") ?? "")) {
      faults.push(
        ...values.flatMap((one) => nullsIn(JSON.parse(one))).map((at) => `${label}: null at ${at}`),
      );
    }
    return faults;
  }

  /** Whether the answer is one that this flaw must have. */
  #flawFaults(operation: Operation, answer: Answer, flaw: Flaw): string[] {
    const { status } = answer;
    const records = operation.bodies.size > 0 && !isJsonOnly(operation.bodies);
    const allowed = allowedFor(flaw, records);
    const found =
      allowed === undefined || allowed.includes(status)
        ? []
        : [`${flaw}: ${status} instead of ${allowed.join(" or ")}`];
    if (flaw === "none" && [401, 403, 405, 415].includes(status))
      found.push(`a request without a flaw: ${status}`);
    if (flaw === "body" && status === 422 && !records && !hasPointers(answer))
      found.push("422 without pointers");
    if (status === 405) {
      const allow = (answer.headers.get("allow") ?? "").split(/,\s*/);
      const missing = this.#operations.filter(
        ({ template, method }) => template === operation.template && !allow.includes(method),
      );
      found.push(...missing.map(({ method }) => `Allow lacks ${method}`));
    }
    return found.map(
      (fault) => `${answer.method} ${answer.path.slice(0, 200)}: ${fault}: ${answer.text.slice(0, 300)}`,
    );
  }

  #note(operation: Operation, answer: Answer): void {
    const counts = this.#seen.get(operation.id) ?? new Map<number, number>();
    this.#seen.set(operation.id, counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1));
    if (answer.status >= 300 || !(answer.headers.get("content-type") ?? "").startsWith("application/json"))
      return;
    const collection = collectionOf(operation.template);
    const ids = this.#ids.get(collection) ?? new Set<string>();
    for (const id of idsIn(answer.json<unknown>())) ids.add(id);
    this.#ids.set(collection, ids);
  }
}

/** Statuses that a flawed request may have; `undefined`: any. 404 where the thing in the path may be looked for first. */
function allowedFor(flaw: Flaw, records: boolean): readonly number[] | undefined {
  switch (flaw) {
    case "no token":
    case "unknown token":
      return [401];
    case "token of another site":
      return [403];
    case "path":
      return [400, 404];
    case "query":
      // The feed says first that it is one.
      return [400, 404, 426];
    case "header":
      return [400, 415];
    case "media type":
      return [404, 415];
    case "undecodable":
      // A broken line costs itself.
      return records ? [202, 400] : [400, 404];
    case "body":
      return records ? undefined : [404, 422];
    case "too large":
      return [404, 413];
    case "method":
      return [405];
    default:
      return undefined;
  }
}

function isLines(type: string): boolean {
  return type !== "application/json" && type !== "application/msgpack";
}

/** Whether bodies are settings and questions, which are judged as a whole, and not records. */
function isJsonOnly(bodies: ReadonlyMap<string, unknown>): boolean {
  return bodies.size === 1 && bodies.has("application/json");
}

function encode(type: string, body: unknown): Uint8Array<ArrayBuffer> {
  if (type === "application/msgpack" && Array.isArray(body)) return encodeBody(body, "msgpack");
  if (isLines(type) && Array.isArray(body)) return encodeBody(body, "ndjson");
  return Uint8Array.from(Buffer.from(JSON.stringify(body) ?? "null"));
}

/** Whether there are values that a parameter may not have. */
function isClosed(schema: Schema): boolean {
  return ["enum", "pattern", "maxLength", "minimum", "maximum"].some((key) => key in schema);
}

/** Gives one parameter a value that its schema refuses; `false` when there is none. */
function spoilQuery(operation: Operation, query: [string, string][], pick: number): boolean {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, coerceTypes: true });
  const flaws = operation.parameters
    .filter(
      (one) => one.in === "query" && (isClosed(one.schema) || /integer|number/.test(String(one.schema.type))),
    )
    .flatMap(({ name, schema }) => {
      const fits = ajv.compile({ type: "object", properties: { value: schema } });
      return QUERY_FLAWS.filter((value) => !fits({ value })).map((value): [string, string] => [name, value]);
    });
  const flaw = flaws[pick % flaws.length];
  if (flaw === undefined) return false;
  query.splice(0, query.length, ...query.filter(([name]) => name !== flaw[0]), flaw);
  return true;
}

function spoilHeader(operation: Operation, headers: Record<string, string>, pick: number): void {
  const closed = operation.parameters.filter((one) => one.in === "header" && isClosed(one.schema));
  const name = closed[pick % closed.length]?.name.toLowerCase() ?? "";
  headers[name] = name === "content-encoding" ? HEADER_FLAWS[0]! : HEADER_FLAWS[1]!;
}

/** Whether a path of `template` may be one of `other` as well. */
function mayBe(template: string, other: string): boolean {
  const [left, right] = [template.split("/"), other.split("/")];
  return (
    left.length === right.length &&
    left.every((part, i) => part === right[i] || part.startsWith("{") || right[i]?.startsWith("{"))
  );
}

/** The word before the first id: what the ids belong to. */
function collectionOf(template: string): string {
  return (
    template
      .replace("/v1/sites/{site}", "")
      .split("/")
      .find((part) => part !== "" && part !== "v1") ?? ""
  );
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(idsIn);
  if (!isRecord(value)) return [];
  const own = [value.id, value.anomaly_id].filter((id) => typeof id === "string");
  return [...own, ...Object.values(value).flatMap(idsIn)];
}

function hasPointers(answer: Answer): boolean {
  const { errors } = answer.json<{ errors?: { pointer: string; detail: string }[] }>();
  return (
    errors !== undefined && errors.length > 0 && errors.every(({ pointer }) => /^#?(\/|$)/.test(pointer))
  );
}
