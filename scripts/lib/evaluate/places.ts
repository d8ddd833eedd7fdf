/** Where in time evaluated sites begin: a Monday, so that seven days hold one weekend. */
import { MINUTE_MS } from "../../../src/config.ts";

export const START_MINUTE = Date.UTC(2026, 5, 1) / MINUTE_MS;
