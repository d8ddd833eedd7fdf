/**
 * The TypeScript types of the client, written from the OpenAPI document: one interface for the named schemas, one for the
 * operations by path and method. Pure: the document in, the text of a file out.
 *
 * Own code, because openapi-typescript needs the compiler's old programming interface (typescript 5), which the compiler that
 * this project is checked with no longer has. It covers JSON Schema as src/api/json-schema.ts makes it, and refuses a keyword
 * that it does not know rather than writing a type that says less.
 */
type Json = Readonly<Record<string, unknown>>;

const HEAD = `/** Made from the OpenAPI document by \`npm run generate\`; not written by hand, and held equal to it by a test. */
`;
const METHODS = ["get", "put", "post", "delete"];
/** What narrows values and not types, or is for readers. */
const SILENT = new Set(
  "default description format pattern minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems propertyNames readOnly title uniqueItems".split(
    " ",
  ),
);
const KNOWN = new Set(
  "$ref additionalProperties allOf anyOf oneOf const enum items prefixItems properties required type".split(
    " ",
  ),
);

/** The text of client/generated.ts. Throws on a schema that it cannot express. */
export function clientTypes(document: Json): string {
  const { schemas } = objectOf(document.components);
  const named = Object.entries(objectOf(schemas)).map(
    ([name, schema]) => `${docOf(objectOf(schema))}  ${name}: ${typeOf(objectOf(schema), "  ")};\n`,
  );
  const paths = Object.entries(objectOf(document.paths)).map(([path, item]) => {
    const operations = METHODS.flatMap((method) => {
      const operation = objectOf(item)[method];
      return operation === undefined ? [] : [operationOf(method, objectOf(operation))];
    });
    return `  "${path}": {\n${operations.join("")}  };\n`;
  });
  return `${HEAD}export interface Schemas {\n${named.join("")}}\n\nexport interface Operations {\n${paths.join("")}}\n`;
}

function operationOf(method: string, operation: Json): string {
  const parameters = ((operation.parameters ?? []) as Json[]).map((parameter) => ({
    place: String(parameter.in),
    line: `          ${docLine(parameter)}${key(String(parameter.name))}${parameter.required === true ? "" : "?"}: ${typeOf(objectOf(parameter.schema), "          ")}${parameter.required === true ? "" : " | undefined"};\n`,
  }));
  const group = (name: string, place: string, mark: string): string => {
    const lines = parameters.filter((parameter) => parameter.place === place).map(({ line }) => line);
    return lines.length === 0 ? "" : `        ${name}${mark}: {\n${lines.join("")}        };\n`;
  };
  const request = [
    group("params", "path", ""),
    group("query", "query", "?"),
    group("headers", "header", "?"),
    bodyOf(operation),
  ].join("");
  const summary = typeof operation.summary === "string" ? `    /** ${operation.summary} */\n` : "";
  return `${summary}    ${method.toUpperCase()}: {\n      request: {${request === "" ? "" : `\n${request}      `}};\n      answer: ${answerOf(operation)};\n    };\n`;
}

function bodyOf({ requestBody }: Json): string {
  if (requestBody === undefined) return "";
  const { required, content } = objectOf(requestBody);
  const type = contentType(objectOf(content));
  return `        body${required === true ? "" : "?"}: ${type};\n`;
}

/** What a successful answer holds: parsed JSON, or text; `undefined` without a body. */
function answerOf({ responses }: Json): string {
  const types = Object.entries(objectOf(responses))
    .filter(([status]) => status.startsWith("2"))
    .map(([, response]) => {
      const { content } = objectOf(response);
      return content === undefined ? "undefined" : contentType(objectOf(content));
    });
  return [...new Set(types)].join(" | ") || "undefined";
}

function contentType(content: Json): string {
  const json = content["application/json"];
  return json === undefined ? "string" : typeOf(objectOf(objectOf(json).schema), "        ");
}

function typeOf(schema: Json, indent: string): string {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword) && !SILENT.has(keyword)) throw new Error(`no type for the keyword ${keyword}`);
  }
  const { $ref: ref, anyOf, oneOf, allOf, type } = schema;
  if (typeof ref === "string") return `Schemas["${ref.slice(ref.lastIndexOf("/") + 1)}"]`;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined)
    return (schema.enum as unknown[]).map((one) => JSON.stringify(one)).join(" | ");
  if (anyOf !== undefined || oneOf !== undefined) return joined((anyOf ?? oneOf) as Json[], " | ", indent);
  if (allOf !== undefined) return joined(allOf as Json[], " & ", indent);
  if (Array.isArray(type)) return type.map((one) => simpleType(String(one))).join(" | ");
  if (type === "array") return arrayOf(schema, indent);
  if (type === "object") return objectType(schema, indent);
  return type === undefined ? "unknown" : simpleType(String(type));
}

function simpleType(type: string): string {
  if (type === "integer") return "number";
  if (["number", "string", "boolean", "null"].includes(type)) return type;
  throw new Error(`no type for the type ${type}`);
}

function joined(schemas: readonly Json[], by: string, indent: string): string {
  const types = [...new Set(schemas.map((schema) => typeOf(schema, indent)))];
  return types.length === 1
    ? types[0]!
    : types.map((type) => (/ [|&] /.test(type) ? `(${type})` : type)).join(by);
}

function arrayOf({ items, prefixItems }: Json, indent: string): string {
  if (prefixItems !== undefined) {
    return `readonly [${(prefixItems as Json[]).map((item) => typeOf(item, indent)).join(", ")}]`;
  }
  return `ReadonlyArray<${items === undefined ? "unknown" : typeOf(objectOf(items), indent)}>`;
}

function objectType({ properties, required, additionalProperties }: Json, indent: string): string {
  const needed = new Set((required ?? []) as string[]);
  const inner = `${indent}  `;
  const lines = Object.entries(objectOf(properties ?? {})).map(([name, schema]) => {
    const mark = needed.has(name) ? "" : "?";
    return `${inner}${docLine(objectOf(schema))}${key(name)}${mark}: ${typeOf(objectOf(schema), inner)};\n`;
  });
  const own = lines.length === 0 ? undefined : `{\n${lines.join("")}${indent}}`;
  if (typeof additionalProperties !== "object") return own ?? "Readonly<Record<string, never>>";
  const rest = `{ readonly [name: string]: ${typeOf(objectOf(additionalProperties), inner)} }`;
  return own === undefined ? rest : `${own} & ${rest}`;
}

function docOf({ description }: Json): string {
  return typeof description === "string" ? `  /** ${description} */\n` : "";
}

function docLine({ description }: Json): string {
  return typeof description === "string" ? `/** ${description} */ ` : "";
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
}

function objectOf(value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`not an object in the OpenAPI document: ${JSON.stringify(value)?.slice(0, 100)}`);
  }
  return value as Json;
}
