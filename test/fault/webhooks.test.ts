/** `npm run faults -- webhooks` and its control, short. */
import { describe, expect, it } from "vitest";
import { webhooks, webhooksForget } from "../../scripts/lib/faults/webhooks.ts";
import { figuresOf, measuredOf, missed } from "../support/faults.ts";

describe("kill -9 while webhooks are delivered", () => {
  it("FR-7: each event reaches each webhook, in order, verified and under one id; only what was under way comes again", async (test) => {
    const figures = await figuresOf(webhooks, test);
    expect(missed(figures)).toEqual([]);
    expect(measuredOf(figures, "kills")).toBeGreaterThanOrEqual(5);
    expect(measuredOf(figures, "events")).toBeGreaterThan(20);
  }, 180_000);

  it("FR-8: the same run finds out an outbox that forgets a message before it is sent", async (test) => {
    const figures = await figuresOf(webhooksForget, test);
    expect(measuredOf(figures, "events never delivered")).toBeGreaterThan(0);
  }, 180_000);
});
