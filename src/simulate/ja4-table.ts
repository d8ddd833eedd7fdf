/**
 * Real JA4 values, so that the demo looks like what a reader knows. A name is a hint, never an identity: several
 * clients share a fingerprint.
 *
 * Sources: FoxIO's published mapping (application names) and the values in FoxIO's public packet captures
 * (https://github.com/FoxIO-LLC/ja4); Cloudflare's documentation and public logs (those that it shows signals for).
 */

/** A Chromium in FoxIO's captures differs from the next mostly in the hash of its extensions. */
const CHROMIUM_CAPTURES = "t13d1516h2_acb858a92679_";

const captures = (hashes: string): string[] =>
  hashes
    .trim()
    .split(/\s+/)
    .map((hash) => `${CHROMIUM_CAPTURES}${hash}`);

/** The most common fingerprints of a shop, busiest first. */
export const HEADS = {
  chromium: [
    "t13d1517h2_8daaf6152771_b6f405a00624",
    "t13d1516h2_8daaf6152771_02713d6af862",
    "t13d1512h2_8daaf6152771_ef7df7f74e48",
  ],
  safari: ["t13d2014h2_a09f3c656075_14788d8d241b", "t13d2613h2_2802a3db6c62_845d286b0d67"],
  http3: ["q13d0312h3_55b375c5d22e_5a06198afb93", "q13d0312h3_55b375c5d22e_06cda9e17597"],
  firefox: ["t13d1715h2_5b57614c22b0_7121afd63204"],
} as const;

/** Older or rarer browsers. */
export const CHROMIUM: readonly string[] = [
  "t13d1517h2_8daaf6152771_b0da82dd1658",
  "t13d1517h2_8daaf6152771_b1ff8ab2d16f",
  "t13d1516h2_8daaf6152771_9b887d9acb53",
  "t13d1516h2_8daaf6152771_e5627efa2ab1",
  "t13d1515h2_8daaf6152771_f37e75b10bcc",
  "t13i1515h2_8daaf6152771_02713d6af862",
  "t13i1516h2_8daaf6152771_b0da82dd1658",
  "t13i1516h2_8daaf6152771_b1ff8ab2d16f",
  "t13d1515h2_acb858a92679_1fea980e9d76",
  "t13d1515h2_acb858a92679_253bca5d0b80",
  "t13d1515h2_acb858a92679_b0ba2f989aea",
  "t13d1515h2_acb858a92679_b90d13bf6f98",
  "t13d1515h2_acb858a92679_c95bfa41ab5d",
  ...captures(`
  01fb3542df69 021f89855834 02518cc01a32 0500216284de 07af8028e23e 09de6778cc55 0ba12093491f
  0c4877241e3c 0c637659a2d5 0e6a3d869d9d 117873b7a39c 1314decb33ff 18f69afefd3d 2331e95fde68
  26c01394417b 2861a6985939 2af320308976 2d79a7d73c2f 2da480b6a2c8 330ce4f319a8 3395779fe3fb
  397d290f0301 3af4d4b9d2d4 3ec2c7066647 4237572e953b 427cac041d07 4360d1c81b7c 497901d2ace7
  4aa408e2c085 5276cb03a33b 538a2f938823 55d7fff9dff7 5cfab8711ae5 5ec2817d7b86 686a0be4bd30
  687a3a2ce3c4 6e8cce17e7d7 73544b4297c0 76a3fc549f70 7889df4981c5 7b772b20e97b 8173fc330948
  81dcec84e300 883fa5a7a13b 8b5fc429a01a 8d31aaae1631 8fc3c02244b2 942bc1763a61 9948b1e7c6e7
  9aeef56da6aa 9be69fbcfb74 a9cc25f93fb0 b16532485edd b5e0789e757f b7e224026524 c1d170c535e5
  c4528f9c0199 c8388c21e187 cd85e435c726 cf768f5c9444 d50c88625340 da9349461c3b dfed22113221
  `),
];
export const HTTP3: readonly string[] = [
  "q13d0310h3_55b375c5d22e_cd85d2d88918",
  "q13d0311h3_55b375c5d22e_3512bcbbc9ec",
  "q13i0311h3_55b375c5d22e_06cda9e17597",
  "q13d0312h3_55b375c5d22e_73e2d9e6cde6",
];
export const FIREFOX: readonly string[] = [
  "t13d1715h2_5b57614c22b0_3d5424432f57",
  "t13d1715h2_5b234860e130_014157ec0da2",
  "t13i1714h2_5b57614c22b0_7121afd63204",
];
export const SAFARI: readonly string[] = [
  "t13i2013h2_a09f3c656075_14788d8d241b",
  "t13d2613h2_78a7dc604b78_93870a65b655",
];

export const PYTHON: readonly string[] = [
  "t13d181000_85036bcba153_d41ae481755e",
  "t13i181000_85036bcba153_d41ae481755e",
  "t13d4312h1_c7886603b240_b26ce05bbdd6",
];
export const GO: readonly string[] = [
  "t13d190900_9dc949149365_97f8aa674fd9",
  "t13i190800_9dc949149365_97f8aa674fd9",
  "t13d191000_9dc949149365_e7c285222651",
  "t13d1412h2_e33ad33b3d25_6b314db333b6",
  "t12d160700_8cdfa2d4673b_18dd7303c4a5",
  "t13d141000_cbb2034c60b8_e7c285222651",
];
/** Command-line tools and libraries on OpenSSL, GnuTLS, Schannel or Java; what exactly is not known. */
export const TOOLS: readonly string[] = [
  "t13d5312h1_ed6c8d7875f9_5604d150ced5",
  "t13d5912h1_a33745022dd6_dbd39dd1d406",
  "t13d3012h2_1d37bd780c83_882d495ac381",
  "t12d190800_d83cc789557e_7af1ed941c26",
  "t12d190800_e8d5f427a2c5_5e98404dd3cc",
  "t12d1909h2_d83cc789557e_7af1ed941c26",
  "t12d1909h2_e8d5f427a2c5_5da3d607c71a",
  "t12d4605h2_644f5d117d98_094daec7ec8d",
  "t12d4605h2_85626a9a5f7f_aaf95bb78ec9",
  "t12i860500_e18388e7f3a3_a1e935682795",
  "t13d1615h2_45f31bb0a5cc_b0e5d31d5128",
  "t13d1615h2_46e7e9700bed_45f260be83e2",
  "t13d151400_8daaf6152771_de4a06bb82e3",
  "t13d151400_acb858a92679_2f4561be1d1f",
  "t13d151699_8daaf6152771_e5627efa2ab1",
  "t13d151699_acb858a92679_8fc3c02244b2",
];
export const APPS: readonly string[] = [
  "t13d1511h2_8daaf6152771_78e6aca7449b",
  "t13d1516h1_8daaf6152771_e5627efa2ab1",
  "t13d1517h1_8daaf6152771_6cdcb247c39b",
];
export const CRAWLERS: readonly string[] = [
  "t13d1516h1_acb858a92679_4d217f5c60c0",
  "t13d1516h1_acb858a92679_5eba26eeae83",
  "t13d1516h1_acb858a92679_a5ce045fadd3",
];
export const MONITORS: readonly string[] = [
  "t13d1517h1_acb858a92679_98b2855b1dea",
  "t10d230100_6a57a6f57151_000000000000",
  "t10d230100_ce175d585f73_000000000000",
];

/** Held back from the background: nobody has seen a new browser before its release. */
export const RELEASES: readonly string[] = captures(`
  e089cde5ad66 e0fccb203dfb ee5437a6a04b f044a1abfa22 f0c0f532ba7c f825e233d654 fbf4c64f425f
  ff8ca026d952
`);
