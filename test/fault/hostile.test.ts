/** `npm run faults -- hostile`, short. */
import { expect, it } from "vitest";
import { hostile } from "../../scripts/lib/faults/hostile.ts";
import { figuresOf, missed } from "../support/faults.ts";

it("HOST-4: bombs, also with trailers that lie, and other costly bodies are refused and change no counter", async (test) => {
  const figures = await figuresOf(hostile, test);
  expect(missed(figures)).toEqual([]);
  expect(figures.length).toBeGreaterThan(20);
}, 60_000);
