/** Lints the document that the Worker serves at /asyncapi.json, by the specification's own parser. */
import { Parser } from "@asyncapi/parser";
import type { Outcome } from "./steps.ts";

/** The document keeps to 3.0, which today's tools read. */
const NOT_A_FAULT = "asyncapi-latest-version";

export async function lintAsyncApi(document: object): Promise<Outcome> {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document));
  const faults = diagnostics
    .filter(({ code }) => code !== NOT_A_FAULT)
    .map(({ code, path, message }) => `${String(code)} at ${path.join("/")}: ${message}`);
  const messages = (document as { components: { messages: object } }).components.messages;
  return {
    ok: faults.length === 0,
    output: faults.join("\n"),
    note: `${Object.keys(messages).length} messages`,
  };
}
