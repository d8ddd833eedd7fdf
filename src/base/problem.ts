/** Errors that users see: RFC 9457 problem details. A Problem's texts are ours; they never carry user input secrets. */

import { RETRY_AFTER_S } from "../config.ts";

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** One fault in what a user sent: `pointer` is an RFC 6901 JSON Pointer into the body. */
export interface Fault {
  pointer: string;
  detail: string;
}

export interface ProblemMore {
  errors?: Fault[];
  headers?: Record<string, string>;
  /** Further members of the problem document, such as `counted`. */
  members?: Record<string, number | string>;
}

/** Thrown anywhere below the router, answered as `application/problem+json`. `code` names the case for machines. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly more: ProblemMore;

  constructor(status: number, code: string, detail: string, more: ProblemMore = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.more = more;
  }
}

/** Something that we need does not answer now; the caller may try again. */
export function unavailable(detail: string, members: Record<string, number> = {}): Problem {
  return new Problem(503, "unavailable", detail, {
    headers: { "retry-after": String(RETRY_AFTER_S) },
    members,
  });
}

/** The answer for a problem. `instance` is the request's id, the same as in the log line. */
export function problemResponse(problem: Problem, instance: string): Response {
  const body = {
    type: `urn:hellotide:problem:${problem.code}`,
    title: TITLES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.message,
    instance,
    ...(problem.more.errors === undefined ? {} : { errors: problem.more.errors }),
    ...problem.more.members,
  };
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...problem.more.headers,
    },
  });
}

/** What a thrown value becomes: a Problem stays; everything else is a 500 that says nothing of the inside. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem(500, "internal", "Something broke on our side. The request id finds it in the log.");
}
