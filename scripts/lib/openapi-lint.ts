/** Lints the document that the Worker serves at /openapi.json. */
import { createConfig, lintFromString, type NormalizedProblem } from "@redocly/openapi-core";
import type { Outcome } from "./steps.ts";

/** Rules of the recommended set that make no sense for this document. */
const DISABLED = {
  // `…/fingerprints/lookup` beside `…/fingerprints/{ja4}`: OpenAPI itself says that the literal path wins.
  "no-ambiguous-paths": "off",
} as const;

/** Places where a rule that is right elsewhere is not. An entry that no longer applies fails the lint, too. */
const EXCEPTIONS: readonly { readonly rule: string; readonly place: RegExp; readonly why: string }[] = [
  {
    rule: "operation-4xx-response",
    place: /^#\/paths\/~1(?:healthz|openapi\.json|asyncapi\.json)\/get\/responses$/,
    why: "open to everyone and without parameters: nothing can be refused",
  },
  {
    rule: "no-unused-components",
    place: /^#\/components\/schemas\/(?:\w+Event|(?:Ack|Ping|Pong)Frame|Storm)$/,
    why: "sent over the WebSocket, which OpenAPI cannot describe; clients are generated from them all the same",
  },
];

export async function lintOpenApi(document: object): Promise<Outcome> {
  const config = await createConfig({ extends: ["recommended"], rules: DISABLED });
  const problems = await lintFromString({
    source: JSON.stringify(document, undefined, 2),
    absoluteRef: "openapi.json",
    config,
  });
  const faults = [...problems.filter((problem) => !isExcepted(problem)).map(describe), ...idle(problems)];
  return {
    ok: faults.length === 0,
    output: faults.join("\n"),
    note: `${Object.keys("paths" in document ? (document.paths as object) : {}).length} paths`,
  };
}

function pointers(problem: NormalizedProblem): string[] {
  return problem.location.map((place) => place.pointer ?? `line ${place.start.line}`);
}

function excepts(exception: (typeof EXCEPTIONS)[number], problem: NormalizedProblem): boolean {
  return (
    exception.rule === problem.ruleId && pointers(problem).every((pointer) => exception.place.test(pointer))
  );
}

function isExcepted(problem: NormalizedProblem): boolean {
  return EXCEPTIONS.some((exception) => excepts(exception, problem));
}

function idle(problems: readonly NormalizedProblem[]): string[] {
  return EXCEPTIONS.filter((exception) => !problems.some((problem) => excepts(exception, problem))).map(
    ({ rule, place }) => `the exception of ${rule} at ${place} applies to nothing: remove it`,
  );
}

function describe(problem: NormalizedProblem): string {
  return `${problem.severity} ${problem.ruleId} at ${pointers(problem).join(", ")}: ${problem.message}`;
}
