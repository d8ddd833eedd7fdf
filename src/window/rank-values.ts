/** What a window hands out for ranks. */

/** The hour's values of every fingerprint, dense by id; `reqs` 0 = no fingerprint has this id. */
export interface RankValues {
  idEnd: number;
  /** Tells whether an id still belongs to the same fingerprint. */
  tags: Uint32Array;
  reqs: Uint32Array;
  ips: Uint32Array;
  uas: Uint32Array;
  paths: Uint32Array;
  /** Fingerprints beyond capacity, estimated: they count as having one of each. */
  others: number;
}
