/** What users write, before any schema sees it. */
import { expect, it } from "vitest";
import * as z from "zod/mini";
import { validate } from "../../src/api/validate.ts";
import { Problem } from "../../src/base/problem.ts";

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

it("FUZZ-3: a body nested too deeply is a 422, whatever its depth", () => {
  expect(validate(z.unknown(), nested(64))).toEqual(nested(64));
  for (const depth of [65, 1_000, 200_000]) {
    let thrown: unknown;
    try {
      validate(z.unknown(), nested(depth));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Problem);
    expect((thrown as Problem).status).toBe(422);
  }
});
