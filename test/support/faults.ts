/** What a test wants of a fault run: its figures when it is short, and which of them are not as they should be. */
import type { TestContext } from "vitest";
import { type Fault, type Figure, Skipped } from "../../scripts/lib/faults/fault.ts";

/** A short run; the test is skipped, with the reason, where this machine cannot do it. */
export async function figuresOf(fault: Fault, test: TestContext): Promise<readonly Figure[]> {
  try {
    return await fault.run({ quick: true, log: () => {} });
  } catch (error) {
    if (error instanceof Skipped) test.skip(error.message);
    throw error;
  }
}

/** The figures that are not within their target, each as a line. */
export function missed(figures: readonly Figure[]): string[] {
  return figures
    .filter(({ holds }) => !holds)
    .map(({ figure, measured, target }) => `${figure}: ${measured}, not ${target}`);
}

/** A figure by its name. */
export function measuredOf(figures: readonly Figure[], name: string): string | number | undefined {
  return figures.find(({ figure }) => figure === name)?.measured;
}
