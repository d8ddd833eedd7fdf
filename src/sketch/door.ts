export class Door {
  readonly #rows = Array.from({ length: 4 }, () => new Uint8Array(65536));
  constructor(readonly seed: number) {}
  get byteLength() { return 4 * 65536; }
  note(hash: number): number {
    let min = 255;
    for (let i = 0; i < 4; i++) { const at = Math.imul(hash ^ this.seed, 0x9e3779b1 + i * 0x7f4a7c15 * 2) >>> 16; min = Math.min(min, this.#rows[i]![at]!); }
    for (let i = 0; i < 4; i++) { const at = Math.imul(hash ^ this.seed, 0x9e3779b1 + i * 0x7f4a7c15 * 2) >>> 16; if (this.#rows[i]![at] === min && min < 255) this.#rows[i]![at]!++; }
    return min + 1;
  }
  age() { for (const r of this.#rows) for (let i = 0; i < r.length; i++) r[i]! >>>= 1; }
}
