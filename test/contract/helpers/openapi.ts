/** Holds answers to /openapi.json: the operation must be described, with this status, and the body must fit. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Answer, Client } from "../../support/client.ts";

type Node = Readonly<Record<string, unknown>>;

export interface OpenApi {
  readonly document: Node;
  /** Why this answer is not as described; empty when it is. */
  faults(answer: Answer): string[];
}

const ROOT = "https://hellotide.test/openapi.json";

export async function loadOpenApi(client: Client): Promise<OpenApi> {
  const answer = await client.get("/openapi.json", { token: null });
  if (answer.status !== 200) throw new Error(`/openapi.json answered ${answer.status}`);
  return openApiOf(answer.json<Node>());
}

/** The same for a document at hand. */
export function openApiOf(document: Node): OpenApi {
  // Formats are checked by the tests themselves; `strict` would refuse OpenAPI's own keywords.
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  ajv.addSchema({ $id: ROOT, ...document });
  const routes = Object.keys(child(document, "paths") ?? {}).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\{[^/}]+\}/g, "[^/]+")}$`),
  }));

  const validators = new Map<string, ValidateFunction>();
  function validatorOf($ref: string): ValidateFunction {
    const validate = validators.get($ref) ?? ajv.compile({ $ref });
    validators.set($ref, validate);
    return validate;
  }

  function faults(checked: Answer): string[] {
    const label = `${checked.method} ${checked.path} → ${checked.status}`;
    const path = new URL(checked.path, "http://host").pathname;
    const matches = routes.filter((one) => one.pattern.test(path));
    // A literal path wins over a template, as OpenAPI says.
    const parameters = (one: { template: string }): number => one.template.split("{").length;
    const route = matches.sort((a, b) => parameters(a) - parameters(b))[0];
    if (!route) return [`${label}: no such path in the document`];
    const pointer = ["paths", route.template, checked.method.toLowerCase()];
    const operation = at(document, pointer);
    if (!operation) return [`${label}: no such operation in the document`];
    const status = [String(checked.status), "default"].find((key) => at(operation, ["responses", key]));
    if (!status) return [`${label}: this status is not described`];
    const response = resolve(document, at(operation, ["responses", status]));
    const content = response.node.content as Node | undefined;
    const type = (checked.headers.get("content-type") ?? "").split(";")[0] ?? "";
    // No lines at all are lines.
    if (checked.text === "" && type !== "application/x-ndjson")
      return content ? [`${label}: a body is described, none came`] : [];
    if (!content || !(type in content)) return [`${label}: ${type} is not described`];
    if (!type.endsWith("json")) return [];
    // One value a line, each by the schema.
    const values =
      type === "application/x-ndjson" ? checked.text.split("\n").filter(Boolean) : [checked.text];
    const base = response.pointer ?? [...pointer, "responses", status];
    const validate = validatorOf(`${ROOT}#${encode([...base, "content", type, "schema"])}`);
    const wrong = values.find((text) => !validate(JSON.parse(text)));
    if (wrong === undefined) return [];
    return [`${label}: ${ajv.errorsText(validate.errors)} in ${wrong.slice(0, 300)}`];
  }
  return { document, faults };
}

/** The distinct faults of all answers of a client; for the last test of a file. */
export async function answerFaults(client: Client): Promise<string[]> {
  const answers = [...client.answers];
  const openApi = await loadOpenApi(client);
  // Unknown routes and methods are in no document: their 404 and 405 are checked elsewhere.
  const described = answers.filter(
    (answer) => !(answer.status === 405 || (answer.status === 404 && !isKnown(openApi, answer))),
  );
  return [...new Set(described.flatMap((answer) => openApi.faults(answer)))];
}

function isKnown(openApi: OpenApi, answer: Answer): boolean {
  return !openApi.faults(answer).some((fault) => fault.includes("no such"));
}

function child(node: Node | undefined, key: string): Node | undefined {
  const value = node?.[key];
  return typeof value === "object" && value !== null ? (value as Node) : undefined;
}

function at(node: Node, path: readonly string[]): Node | undefined {
  return path.reduce<Node | undefined>(child, node);
}

function resolve(document: Node, node: Node | undefined): { node: Node; pointer?: string[] } {
  const reference = node?.$ref;
  if (typeof reference !== "string") return { node: node ?? {} };
  const pointer = reference.replace(/^#\//, "").split("/");
  return { node: at(document, pointer) ?? {}, pointer };
}

function encode(path: readonly string[]): string {
  return path
    .map((key) => `/${encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
}
