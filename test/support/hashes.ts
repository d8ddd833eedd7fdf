/** Uniform 32-bit numbers for tests of sketches: what a keyed hash of an identity would be. */

/** A bijection of 32-bit numbers that mixes well (Ellis, "lowbias32", 2018): different inputs, different hashes. */
export function mixed(n: number): number {
  let h = n | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** An endless row of them, the same for the same seed. */
export function randomHashes(seed: number): () => number {
  let state = mixed(seed);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mixed(state);
  };
}
