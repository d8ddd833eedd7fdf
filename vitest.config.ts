import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { buildWeb } from "./scripts/lib/web.ts";

// wrangler.toml names its folder, which must be there.
await buildWeb();

/**
 * Three projects, by what a test needs to run on:
 * - pure: plain Node, no platform. Milliseconds each.
 * - server: plain Node that talks to a real `npm run serve` (test/support/server.ts).
 * - workerd: inside the engine, with direct access to the Durable Objects.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "pure",
          include: [
            "test/unit/**/*.test.ts",
            "test/property/**/*.test.ts",
            "test/hostile/**/*.test.ts",
            "test/golden/**/*.test.ts",
            "test/architecture.test.ts",
          ],
          // Property tests run many cases; the rest takes milliseconds.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "server",
          include: ["test/contract/**/*.test.ts", "test/fault/**/*.test.ts"],
          // Each file has its own server of several processes: more than two at a time starve each other on two cores.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // After the fast ones, so that those are not slowed by servers.
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Vite warns about every source map of a package that was published without its sources.
        logLevel: "error",
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // Without it, a placeholder of request.cf is fetched from the network.
              cf: false,
              bindings: {
                SITES: { shop: [], api: [], whole: [] },
                HASH_KEY: "workerd-tests-0123456789",
                // Of the token in test/workerd/helpers.ts.
                API_TOKENS: [
                  {
                    name: "tests",
                    sha256: "86470c22e16dccf6aa9796e342b7aac3b8e276de20766fb3c665f6f725c03939",
                    scopes: ["ingest", "read", "feed", "write"],
                    sites: ["*"],
                  },
                ],
              },
            },
          }),
        ],
        test: {
          name: "workerd",
          include: ["test/workerd/**/*.test.ts"],
          maxWorkers: 2,
          testTimeout: 30_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
