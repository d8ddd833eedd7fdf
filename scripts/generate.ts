/** `npm run generate`: writes the types of the client from the OpenAPI document. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openapiDocument } from "../src/api/openapi.ts";
import { clientTypes } from "./lib/client-types.ts";
import { ROOT } from "./lib/paths.ts";

writeFileSync(join(ROOT, "client/generated.ts"), clientTypes(openapiDocument()));
