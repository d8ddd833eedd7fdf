/** Silences (contract §5): what is kept and marked, but not delivered unless asked for. */
import type * as z from "zod/mini";
import { rfc3339 } from "../base/time.ts";
import { withoutServerMade } from "../schemas/item.ts";
import { silenceInput, silenceList, silenceOutput } from "../schemas/silence.ts";
import type { Route } from "./call.ts";
import { itemRoutes, type Resource } from "./items.ts";

/** Silences as a kind of item. */
export const silenceResource = {
  kind: "silences",
  noun: "silence",
  idPrefix: "s",
  input: silenceInput,
  output: silenceOutput,
  example: { ja4: "t13d1516h2_*", kinds: ["surge"], reason: "The new release, announced for today." },
  list: silenceList,
  summaries: {
    list: "Silences by id, those that have ended among them.",
    create: "Create a silence; without an id it gets one.",
    one: "One silence.",
    put: "Create or replace a silence.",
    remove: "Delete a silence.",
  },
  normal: (written) => {
    const input = withoutServerMade(written);
    return input.until === undefined ? input : { ...input, until: rfc3339(Date.parse(input.until)) };
  },
  faultsAt: ({ until }, nowMs) =>
    until !== undefined && Date.parse(until) <= nowMs
      ? [{ pointer: "/until", detail: "this time has passed" }]
      : [],
} satisfies Resource<"silences", z.infer<typeof silenceInput>>;

export const silenceRoutes: Route[] = itemRoutes(silenceResource);
