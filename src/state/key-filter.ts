import { spread } from "./key-hash.js";

/** How many bits the first filter has, and how much larger each further one is. */
const firstBits = 2 ** 18;
const growth = 4;
/** Of a key: with so many of them a filter takes one key in a hundred for another. */
const bitsOfKey = 10;
const probes = 4;

interface Filter {
  readonly bits: Uint32Array;
  readonly mask: number;
  /** How many keys more it takes. */
  left: number;
}

/** Keys by their hashes, in ten to twenty bits each: it knows of all that were not added, but for a few, that they were not. */
export class KeyFilter {
  readonly #filters: Filter[] = [];

  /** Whether the key was added before, or may have been. It is, from here on. */
  add(hash: number): boolean {
    if (this.has(hash)) return true;
    let last = this.#filters.at(-1);
    if (last === undefined || last.left === 0) {
      const bits = last === undefined ? firstBits : (last.mask + 1) * growth;
      last = {
        bits: new Uint32Array(bits / 32),
        mask: bits - 1,
        left: Math.floor(bits / bitsOfKey),
      };
      this.#filters.push(last);
    }
    last.left -= 1;
    const step = spread(hash) | 1;
    for (let probe = 0, at = hash; probe < probes; probe += 1, at = (at + step) | 0) {
      const bit = at & last.mask;
      last.bits[bit >>> 5] = (last.bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
    return false;
  }

  /** Whether the key was added, or may have been. */
  has(hash: number): boolean {
    const step = spread(hash) | 1;
    return this.#filters.some(({ bits, mask }) => {
      for (let probe = 0, at = hash; probe < probes; probe += 1, at = (at + step) | 0) {
        const bit = at & mask;
        if (((bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
      }
      return true;
    });
  }
}
