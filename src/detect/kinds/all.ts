import type { GroupKind, Kind } from "../types.ts";
import { botShift } from "./bot-shift.ts";
import { cacheBust } from "./cache-bust.ts";
import { divergence } from "./divergence.ts";
import { errorBurst } from "./error-burst.ts";
import { familySwarm } from "./family-swarm.ts";
import { impostor } from "./impostor.ts";
import { ipSpread } from "./ip-spread.ts";
import { newcomer } from "./newcomer.ts";
import { pathScan } from "./path-scan.ts";
import { rankShift } from "./rank-shift.ts";
import { rareHereHot } from "./rare-here-hot.ts";
import { slowSurge } from "./slow-surge.ts";
import { surge } from "./surge.ts";
import { uaRotation } from "./ua-rotation.ts";

/** All built-in kinds. */
export const ALL_KINDS: readonly (Kind | GroupKind)[] = [
  surge,
  slowSurge,
  newcomer,
  divergence,
  impostor,
  rareHereHot,
  rankShift,
  uaRotation,
  pathScan,
  errorBurst,
  cacheBust,
  ipSpread,
  botShift,
  familySwarm,
];
