/** Entry: exports the Worker and the four classes, no logic. */
import type { Env } from "../durable-objects/env.ts";
import { type IsolateMemory, objectsOf } from "../durable-objects/objects.ts";
import type { Services } from "./api/call.ts";
import { logWarning } from "./base/log.ts";
import { UserAgentClassifier } from "./edge/user-agent.ts";
import { parseOptions } from "./options.ts";
import { handleRequest } from "./worker.ts";

export { AnomalyFeed } from "../durable-objects/anomaly-feed.ts";
export { Census } from "../durable-objects/census.ts";
export { FingerprintShard } from "../durable-objects/fingerprint-shard.ts";
export { Settings } from "../durable-objects/settings.ts";

const memory: IsolateMemory = { maps: new Map(), hash: undefined };
const agents = new UserAgentClassifier();
let options: Services["options"] | undefined;

export default {
  fetch(request, env) {
    options ??= parseOptions(env);
    const objects = objectsOf(env, options, memory);
    const wait = (ms: number) => scheduler.wait(ms);
    return handleRequest(request, { options, agents, objects, wait, log: logWarning });
  },
} satisfies ExportedHandler<Env>;
