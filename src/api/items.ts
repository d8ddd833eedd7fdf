/**
 * Resources that users write by id (contract §2): list, create, read, replace, delete, ETag and `If-Match`, the same for
 * every kind. A further kind is one more description, and one more line in `ItemInputs` and in config's `ITEMS_MAX`.
 */
import * as z from "zod/mini";
import { hex } from "../base/hash.ts";
import { type Fault, Problem } from "../base/problem.ts";
import { ITEMS_MAX } from "../config.ts";
import type { Options } from "../options.ts";
import { pageLimit } from "../schemas/common.ts";
import { isSameItem, itemId } from "../schemas/item.ts";
import { readJson } from "./body.ts";
import { type Call, json, queryParameters, type Route } from "./call.ts";
import { firstPage, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { changedSince, etag, ifMatchParameter, parseIfMatch } from "./if-match.ts";
import type { IfMatch, ItemInputs, ItemKind, ItemOutput, PutResult } from "./objects.ts";
import { validate, validateQuery } from "./validate.ts";

/** What tells one kind from another. */
export interface Resource<K extends ItemKind, Written extends { id?: string | undefined }> {
  /** Its part of the path, its table, and its member of the settings document. */
  kind: K;
  /** One of them, in problems and operation ids. */
  noun: string;
  /** Of an id that we make. */
  idPrefix: string;
  input: z.ZodMiniType<Written>;
  output: z.ZodMiniType;
  /** What a user may write. */
  example: Written;
  list: z.ZodMiniType;
  summaries: { list: string; create: string; one: string; put: string; remove: string };
  /** Without what the server makes, and times in one spelling. */
  normal(written: Written): ItemInputs[K];
  /** What is wrong with it at this time, pointers from its own root. What is stored already may be written again. */
  faultsAt?(input: ItemInputs[K], nowMs: number, options: Options): Fault[];
  /** Items as users see them; absent = as they are stored. */
  show?(call: Call, items: ItemOutput<K>[]): Promise<object[]>;
  /** An item as whoever wrote it sees it; absent = as it is stored. */
  written?(item: ItemOutput<K>, isNew: boolean): object;
}

const listQuery = z.object({
  limit: pageLimit,
  cursor: z.optional(itemId),
});

/** The five routes of a kind. */
export function itemRoutes<K extends ItemKind, Written extends { id?: string | undefined }>(
  resource: Resource<K, Written>,
): Route[] {
  const { kind, noun, input, output, example, list, summaries } = resource;
  const path = `/v1/sites/:site/${kind}`;
  const name = noun[0]!.toUpperCase() + noun.slice(1);
  const body = { "application/json": input };
  const created = { description: "Created, in force.", schema: output };
  return [
    {
      method: "GET",
      path,
      scope: "read",
      operationId: `list${name}s`,
      summary: summaries.list,
      parameters: queryParameters(listQuery.shape, PAGE_DESCRIPTIONS),
      answers: { 200: { description: "A page.", schema: list } },
      problems: [400, 503],
      handle: (call) => listItems(resource, call),
    },
    {
      method: "POST",
      path,
      scope: "write",
      operationId: `create${name}`,
      summary: summaries.create,
      body,
      example,
      answers: { 201: created },
      problems: [400, 409, 413, 415, 422, 503],
      handle: (call) => create(resource, call),
    },
    {
      method: "GET",
      path: `${path}/:id`,
      scope: "read",
      operationId: `get${name}`,
      summary: summaries.one,
      answers: { 200: { description: `The ${noun}.`, schema: output } },
      problems: [503],
      handle: (call) => one(resource, call),
    },
    {
      method: "PUT",
      path: `${path}/:id`,
      scope: "write",
      operationId: `put${name}`,
      summary: summaries.put,
      parameters: [ifMatchParameter],
      body,
      example,
      answers: { 200: { description: "Replaced, in force.", schema: output }, 201: created },
      problems: [400, 412, 413, 415, 422, 503],
      handle: (call) => put(resource, call),
    },
    {
      method: "DELETE",
      path: `${path}/:id`,
      scope: "write",
      operationId: `delete${name}`,
      summary: summaries.remove,
      parameters: [ifMatchParameter],
      answers: { 204: { description: "Deleted." } },
      problems: [412, 503],
      handle: (call) => remove(resource, call),
    },
  ];
}

type AnyResource<K extends ItemKind> = Omit<Resource<K, never>, "input" | "normal" | "example">;

async function shown<K extends ItemKind>(
  resource: AnyResource<K>,
  call: Call,
  items: ItemOutput<K>[],
): Promise<object[]> {
  return resource.show === undefined ? items : resource.show(call, items);
}

async function listItems<K extends ItemKind>(resource: AnyResource<K>, call: Call): Promise<Response> {
  const { limit, cursor } = validateQuery(listQuery, call.url.searchParams);
  const found = await call.at.settings().items(resource.kind, cursor ?? "", limit + 1);
  const { items, next } = firstPage(
    found.map(({ body }) => body),
    limit,
  );
  return pageAnswer(call.url, { items: await shown(resource, call, items) }, next);
}

async function one<K extends ItemKind>(resource: AnyResource<K>, call: Call): Promise<Response> {
  const stored = await call.at.settings().item(resource.kind, call.params.id!);
  if (stored === undefined) throw absent(resource);
  const [item] = await shown(resource, call, [stored.body]);
  return json(item, 200, etag(stored.revision));
}

async function create<K extends ItemKind, W extends { id?: string | undefined }>(
  resource: Resource<K, W>,
  call: Call,
): Promise<Response> {
  const input = resource.normal(validate(resource.input, await readJson(call.request)));
  throwFaults(resource.faultsAt?.(input, Date.now(), call.options) ?? []);
  return write(resource, call, input.id ?? newItemId(resource.idPrefix), input, "create", undefined);
}

async function put<K extends ItemKind, W extends { id?: string | undefined }>(
  resource: Resource<K, W>,
  call: Call,
): Promise<Response> {
  const { kind, noun } = resource;
  const id = call.params.id!;
  if (!itemId.safeParse(id).success)
    throw new Problem(400, `${noun}_id`, "An id has 1 to 63 of a–z, 0–9 and -.");
  const ifMatch = parseIfMatch(call.request);
  const input = resource.normal(validate(resource.input, await readJson(call.request)));
  if (input.id !== undefined && input.id !== id)
    throwFaults([{ pointer: "/id", detail: "not the id of the path" }]);
  const faults = resource.faultsAt?.(input, Date.now(), call.options) ?? [];
  if (faults.length > 0) {
    const held = await call.at.settings().item(kind, id);
    if (held === undefined || !isSameItem(held.body, { ...input, id })) throwFaults(faults);
  }
  return write(resource, call, id, input, "replace", ifMatch);
}

async function remove<K extends ItemKind>(resource: AnyResource<K>, call: Call): Promise<Response> {
  const ifMatch = parseIfMatch(call.request);
  const result = await call.at.settings().deleteItem(resource.kind, call.params.id!, ifMatch);
  if (result === "absent") throw absent(resource);
  if (result === "changed") throw changedSince(resource.noun);
  return new Response(null, { status: 204 });
}

async function write<K extends ItemKind>(
  { kind, noun, written = (item) => item }: AnyResource<K>,
  call: Call,
  id: string,
  input: ItemInputs[K],
  mode: "create" | "replace",
  ifMatch: IfMatch,
): Promise<Response> {
  const result: PutResult<K> = await call.at.settings().putItem(kind, id, input, mode, ifMatch);
  switch (result.outcome) {
    case "exists":
      throw new Problem(409, `${noun}_exists`, `There is a ${noun} of this id already.`);
    case "changed":
      throw changedSince(noun);
    case "full":
      throw new Problem(422, `too_many_${kind}`, `A site has at most ${ITEMS_MAX[kind]} ${kind}.`);
    case "replaced":
      return json(written(result.stored.body, false), 200, etag(result.stored.revision));
    case "created": {
      const location = `/v1/sites/${call.site}/${kind}/${id}`;
      return json(written(result.stored.body, true), 201, { ...etag(result.stored.revision), location });
    }
  }
}

/** There is none of this id. */
export function absent({ noun }: { noun: string }): Problem {
  return new Problem(404, `unknown_${noun}`, `There is no ${noun} of this id.`);
}

/** 64 random bits. */
export function newItemId(prefix: string): string {
  return `${prefix}-${hex(crypto.getRandomValues(new Uint8Array(8)))}`;
}

/** Throws 422 when there are any. */
export function throwFaults(errors: Fault[]): void {
  if (errors.length > 0)
    throw new Problem(422, "invalid", "The body has values that are not allowed.", { errors });
}
