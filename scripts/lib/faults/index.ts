/** All fault runs, in the order of the table. */
import { disk } from "./disk.ts";
import { evictions } from "./evictions.ts";
import type { Fault } from "./fault.ts";
import { feed, feedAgain } from "./feed.ts";
import { flood } from "./flood.ts";
import { fuzz } from "./fuzz.ts";
import { hostile } from "./hostile.ts";
import { hour } from "./hour.ts";
import { kill, killEarlyAck } from "./kill.ts";
import { laggard } from "./laggard.ts";
import { overload } from "./overload.ts";
import { parts } from "./parts.ts";
import { upload, uploadRecount } from "./upload.ts";
import { versions } from "./versions.ts";
import { webhooks, webhooksForget } from "./webhooks.ts";

export const FAULTS: readonly Fault[] = [
  kill,
  killEarlyAck,
  upload,
  uploadRecount,
  hour,
  evictions,
  disk,
  feed,
  feedAgain,
  laggard,
  webhooks,
  webhooksForget,
  versions,
  parts,
  overload,
  flood,
  fuzz,
  hostile,
];
