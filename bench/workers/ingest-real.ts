/** The product's own objects under the driver's load. */
import { driver } from "./ingest-driver.ts";

export { AnomalyFeed, Census, FingerprintShard, Settings } from "../../src/index.ts";

export default driver;
