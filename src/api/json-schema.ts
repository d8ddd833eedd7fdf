/** JSON Schema (2020-12) of the zod schemas, with references to the named ones, for the documents that are served. */
import * as z from "zod/mini";
import { components } from "../schemas/common.ts";

export type Json = Record<string, unknown>;

/** JSON Schema of one schema, with references to the named ones. */
export function plain(schema: z.ZodMiniType, io: "input" | "output" = "output"): Json {
  const named = components.get(schema);
  if (named !== undefined) return { $ref: `#/components/schemas/${named.id}` };
  const { $schema: _, ...body } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const name = components.get(zodSchema as unknown as z.ZodMiniType);
      if (name === undefined) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof typeof jsonSchema];
      jsonSchema.$ref = `#/components/schemas/${name.id}`;
    },
  });
  return body as Json;
}

/** Every named schema by its id. */
export function namedSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, { uri: (id) => `#/components/schemas/${id}`, io: "input" });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const { $schema: _, $id: __, ...body } = schema as Json;
      return [id, body];
    }),
  );
}
