/** The operations that /openapi.json describes, with everything that a request to one may carry. */
import { resolve, type Schema } from "./json-schema.ts";

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly id: string;
  /** Upper case. */
  readonly method: string;
  readonly template: string;
  readonly parameters: readonly Parameter[];
  /** Schemas of bodies by media type; empty = the operation takes none. */
  readonly bodies: ReadonlyMap<string, Schema>;
  readonly needsBody: boolean;
  /** Whether it answers without a token. */
  readonly open: boolean;
  /** Statuses that the document describes. */
  readonly statuses: readonly string[];
}

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

/** Has the server call an address of the user's: generated ones are never to be called. */
const CALLS_OUT = ["testWebhook"];

/** The operations of a document that may be called with anything, in its order. */
export function operationsOf(document: Schema): Operation[] {
  return Object.entries((document.paths ?? {}) as Record<string, Schema>).flatMap(([template, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, node]) => operationOf(document, template, method, node as Schema, item))
      .filter(({ id }) => !CALLS_OUT.includes(id)),
  );
}

function operationOf(
  document: Schema,
  template: string,
  method: string,
  node: Schema,
  item: Schema,
): Operation {
  const follow = (one: Schema) => (typeof one.$ref === "string" ? resolve(one.$ref, document) : one);
  const parameters = [...listOf(item.parameters), ...listOf(node.parameters)].map(follow).map(
    (one): Parameter => ({
      name: String(one.name),
      in: one.in as Parameter["in"],
      required: one.required === true,
      schema: one.schema as Schema,
    }),
  );
  const request = node.requestBody === undefined ? {} : follow(node.requestBody as Schema);
  const bodies = Object.entries((request.content ?? {}) as Record<string, Schema>).map(
    ([type, one]): [string, Schema] => [
      type,
      { ...(one.schema as Schema), ...("example" in one ? { examples: [one.example] } : {}) },
    ],
  );
  return {
    id: String(node.operationId ?? `${method} ${template}`),
    method: method.toUpperCase(),
    template,
    parameters,
    bodies: new Map(bodies),
    needsBody: request.required === true,
    open: Array.isArray(node.security) && node.security.length === 0,
    statuses: Object.keys((node.responses ?? {}) as object),
  };
}

function listOf(value: unknown): readonly Schema[] {
  return Array.isArray(value) ? (value as Schema[]) : [];
}
