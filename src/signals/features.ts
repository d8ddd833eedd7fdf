/** A fingerprint's full form as one flat row for models; its columns are in `src/schemas/features.ts`. */

/** Within a version columns are only added, at the end. */
export const FEATURE_VERSION = 1;

/** Values by column. What is absent has no key. */
export type FeatureRow = Record<string, number | string>;
