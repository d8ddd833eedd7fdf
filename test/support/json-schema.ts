/**
 * Values by a JSON Schema (2020-12, the part of it that /openapi.json uses), and values that break one. Whether a value fits is
 * always for a validator to say: what is made here only has to come near enough.
 */
import fc from "fast-check";

export type Schema = Readonly<Record<string, unknown>>;

const DEPTH_MAX = 5;
const TEXT_MAX = 40;
const ITEMS_MAX = 4;
const INTEGER_MAX = 1_000_000;
/** Texts of every form that the API knows, for patterns that no text can be made from (look-aheads). */
const TEXTS = [
  ...[
    "a",
    "ops-webhook",
    "0",
    "1",
    "30s",
    "5m",
    "1h",
    "*",
    "t13d*",
    "reqs",
    "browser_ratio_1h",
    "combined.browser_ratio_1h",
  ],
  ...["t13d1516h2_8daaf6152771_02713d6af862", "x0123456789abcdef01234567", "8daaf6152771", "t13d1516h2"],
  ...["2026-11-23T12:00:00.000Z", "https://hooks.example.com/a", "192.0.2.1", "2001:db8::1", "shop", "Zm9v"],
];

/** Something else than what is there: one of every type, and what overflows, wraps or is special in JavaScript. */
const ODD_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e15, 1e300, -1e300, 5e-324],
  ...[
    "",
    " ",
    "x",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "__proto__",
    "constructor",
    "\u0000",
    "\ud800",
    "é",
    "𝕊",
  ],
  ...["2026-02-30T00:00:00Z", "9999999d", "x".repeat(300), "*".repeat(65), "/".repeat(20), "'\"<>&`"],
  ...[[], [[]], [null], {}, { "": 0 }, { a: { a: { a: {} } } }, Array.from({ length: 300 }, () => 0)],
];

/** Values that fit `schema`, nearly always; references are looked up in `document`. */
export function arbitraryOf(schema: Schema, document: Schema, depth = 0): fc.Arbitrary<unknown> {
  const { examples, ...rest } = schema;
  if (Array.isArray(examples))
    return fc.oneof(fc.constantFrom(...(examples as unknown[])), arbitraryOf(rest, document, depth));
  if (typeof schema.$ref === "string") return arbitraryOf(resolve(schema.$ref, document), document, depth);
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  const choices = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (choices !== undefined) return fc.oneof(...choices.map((one) => arbitraryOf(one, document, depth)));
  if (Array.isArray(schema.allOf)) return ofAll(schema.allOf as readonly Schema[], document, depth);
  if (Array.isArray(schema.type)) {
    return fc.oneof(
      ...schema.type.map((type) => arbitraryOf({ ...schema, type: type as string }, document, depth)),
    );
  }
  switch (schema.type) {
    case "string":
      return textOf(schema);
    case "integer":
      return integerOf(schema);
    case "number":
      return numberOf(schema);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return arrayOf(schema, document, depth);
    case "object":
      return objectOf(schema, document, depth);
    default:
      return fc.jsonValue({ maxDepth: 1 });
  }
}

/** The schema at `#/a/b` of the document. Throws when there is none. */
export function resolve($ref: string, document: Schema): Schema {
  const found = $ref
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((node, key) => (node as Schema | undefined)?.[key], document);
  if (found === undefined) throw new Error(`the document has no ${$ref}`);
  return found as Schema;
}

/** Members of all parts; parts of other types than objects are rare and come one by one. */
function ofAll(parts: readonly Schema[], document: Schema, depth: number): fc.Arbitrary<unknown> {
  return fc
    .tuple(...parts.map((part) => arbitraryOf(part, document, depth)))
    .map((values) => (values.every(isRecord) ? Object.assign({}, ...values) : values[0]));
}

function textOf(schema: Schema): fc.Arbitrary<string> {
  const { format, pattern } = schema;
  const min = Number(schema.minLength ?? 0);
  const max = Math.min(Number(schema.maxLength ?? TEXT_MAX), Math.max(min, TEXT_MAX));
  const within = (text: string) => text.length >= min && text.length <= Number(schema.maxLength ?? Infinity);
  if (format === "date-time") {
    // Around now as often as anywhere: the API treats what is long past and what is to come differently.
    const near = fc.integer({ min: -7_200_000, max: 7_200_000 }).map((ms) => new Date(Date.now() + ms));
    const any = fc.date({ min: new Date("2001-01-01"), max: new Date("2099-12-31"), noInvalidDate: true });
    return fc.oneof(near, any).map((date) => date.toISOString());
  }
  if (format === "ipv4") return fc.ipV4();
  if (format === "ipv6") return fc.ipV6();
  if (format === "uri" || format === "url") return fc.webUrl({ validSchemes: ["https"] });
  if (typeof pattern !== "string") return fc.string({ minLength: min, maxLength: max });
  const form = new RegExp(pattern, "u");
  const fitting = TEXTS.filter((text) => form.test(text) && within(text));
  try {
    const made = fc.stringMatching(form, { maxLength: Math.max(max, 100) }).filter(within);
    return fitting.length === 0 ? made : fc.oneof(made, fc.constantFrom(...fitting));
  } catch {
    if (fitting.length === 0) throw new Error(`no text is known that fits ${pattern}`);
    return fc.constantFrom(...fitting);
  }
}

function integerOf(schema: Schema): fc.Arbitrary<number> {
  const low = bound(schema.minimum, schema.exclusiveMinimum, 1) ?? -INTEGER_MAX;
  const high = bound(schema.maximum, schema.exclusiveMaximum, -1) ?? Math.max(low, INTEGER_MAX);
  const [min, max] = [Math.max(low, Number.MIN_SAFE_INTEGER), Math.min(high, Number.MAX_SAFE_INTEGER)];
  // Small ones too: between bounds of 2^53 they would never come.
  const small = fc.integer({ min, max: Math.min(max, min + 1_000) });
  return fc.oneof(small, fc.integer({ min, max }));
}

function numberOf(schema: Schema): fc.Arbitrary<number> {
  const min = bound(schema.minimum, schema.exclusiveMinimum, Number.EPSILON) ?? -1e6;
  const max = bound(schema.maximum, schema.exclusiveMaximum, -Number.EPSILON) ?? Math.max(1e6, min);
  return fc.double({ min, max, noNaN: true, noDefaultInfinity: true });
}

function bound(inclusive: unknown, exclusive: unknown, step: number): number | undefined {
  if (typeof inclusive === "number") return inclusive;
  return typeof exclusive === "number" ? exclusive + step : undefined;
}

function arrayOf(schema: Schema, document: Schema, depth: number): fc.Arbitrary<unknown> {
  const minLength = Number(schema.minItems ?? 0);
  const maxLength = Math.max(minLength, Math.min(Number(schema.maxItems ?? ITEMS_MAX), ITEMS_MAX));
  if (Array.isArray(schema.prefixItems)) {
    return fc.tuple(
      ...(schema.prefixItems as Schema[]).map((item) => arbitraryOf(item, document, depth + 1)),
    );
  }
  const items = isRecord(schema.items)
    ? arbitraryOf(schema.items, document, depth + 1)
    : fc.jsonValue({ maxDepth: 0 });
  if (schema.uniqueItems === true) return fc.uniqueArray(items, { minLength, maxLength });
  return depth >= DEPTH_MAX
    ? fc.array(items, { minLength, maxLength: minLength })
    : fc.array(items, { minLength, maxLength });
}

function objectOf(schema: Schema, document: Schema, depth: number): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  const required = (schema.required ?? []) as string[];
  const wanted = depth >= DEPTH_MAX ? properties.filter(([name]) => required.includes(name)) : properties;
  const members = Object.fromEntries(
    wanted.map(([name, one]) => [name, arbitraryOf(one, document, depth + 1)]),
  );
  const known = fc.record(members, {
    requiredKeys: required.filter((name) => name in members),
    noNullPrototype: true,
  });
  if (!isRecord(schema.additionalProperties)) return known;
  const names = isRecord(schema.propertyNames)
    ? arbitraryOf(schema.propertyNames, document, depth + 1)
    : fc.constantFrom(...TEXTS);
  const values = arbitraryOf(schema.additionalProperties, document, depth + 1);
  const more = fc.dictionary(names as fc.Arbitrary<string>, values, { maxKeys: 3, noNullPrototype: true });
  return fc.tuple(more, known).map(([extra, value]) => ({ ...extra, ...(value as object) }));
}

/** Where in a value something is changed, and how; the numbers are taken modulo what there is. */
export interface Break {
  readonly at: number;
  readonly how: number;
  readonly odd: number;
}

export const breakArbitrary: fc.Arbitrary<Break> = fc.record({ at: fc.nat(), how: fc.nat(7), odd: fc.nat() });

/** A copy of `value` with one change somewhere in it: most of them make it invalid. */
export function broken(value: unknown, { at, how, odd }: Break): unknown {
  const copy = structuredClone(value);
  const places = placesIn(copy);
  const place = places[at % (places.length + 1)];
  const other = ODD_VALUES[odd % ODD_VALUES.length];
  // The whole value is a place as well.
  if (place === undefined) return other;
  const [holder, key] = place;
  const there = Reflect.get(holder, key);
  if ((how === 0 || how > 5) && !Array.isArray(holder)) Reflect.deleteProperty(holder, key);
  else if (how === 1) define(holder, Array.isArray(holder) ? key : "unknown_key", other);
  else if (how === 2 && typeof there === "number") define(holder, key, there * -1e6 - 1);
  else if (how === 2 && typeof there === "string") define(holder, key, `${there}${"é".repeat(5_000)}`);
  else if (how === 3 && Array.isArray(there))
    define(
      holder,
      key,
      Array.from({ length: 501 }, () => there[0] ?? other),
    );
  else if (how === 4) define(holder, key, [there]);
  else define(holder, key, other);
  return copy;
}

type Holder = Record<string, unknown> | unknown[];

/** Every member of every object and list in a value. */
function placesIn(value: unknown): [Holder, string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key): [Holder, string][] => [
    [value as Holder, key],
    ...placesIn(Reflect.get(value, key)),
  ]);
}

/** An own member, whatever its name. */
function define(holder: Holder, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** As the API reads what users write: `null` members of objects are absent. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])),
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
