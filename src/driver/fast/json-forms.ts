/** What stands for a scalar. */
const scalar = Symbol("scalar");
/** An object by its keys, or an array, of scalars and others. */
type Shape = typeof scalar | ObjectShape | ArrayShape;
interface ObjectShape {
  readonly keys: readonly string[];
  readonly parts: readonly Shape[];
  /** With all keys. To copy it costs less than to add them one by one. */
  readonly template: Readonly<Record<string, unknown>>;
}
interface ArrayShape {
  readonly keys?: undefined;
  readonly parts: readonly Shape[];
}

/** What stands between the scalars of a JSON text, and how its value is made of them. */
export interface Form {
  readonly shape: Shape;
  /** One more than there are scalars. */
  readonly pieces: readonly string[];
}

/** What Node's buffers have and its types lack: decoding without looking for the name of an encoding. */
export interface Slices extends Buffer {
  readonly latin1Slice: (start: number, end: number) => string;
  readonly utf8Slice: (start: number, end: number) => string;
}

/** Texts of other kinds are parsed as ever. */
const most = { scalars: 200, depth: 10 };

/** The form of a text that is JSON; `undefined` where it has none that is worth knowing. */
export function formOf(text: string): Form | undefined {
  const pieces: string[] = [];
  const token = /[\s,:]*(?:([{}[\]])|("(?:[^"\\]|\\.)*")|([^\s,:{}[\]"]+))/gy;
  let pieceStart = 0;

  /** The next token, or the end of the text. */
  function next(): { readonly bracket?: string; readonly word?: string; readonly start: number } {
    const match = token.exec(text);
    if (match === null) return { start: text.length };
    const [, bracket, string, other] = match;
    const word = string ?? other;
    if (bracket !== undefined) return { bracket, start: token.lastIndex - 1 };
    return word === undefined ? { start: text.length } : { word, start: token.lastIndex - word.length };
  }

  function shapeOf({ bracket, word, start }: ReturnType<typeof next>, depth: number): Shape | undefined {
    if (word !== undefined) {
      pieces.push(text.slice(pieceStart, start));
      pieceStart = token.lastIndex;
      return pieces.length <= most.scalars ? scalar : undefined;
    }
    if (depth === most.depth) return undefined;
    if (bracket === "[") return arrayOf(depth);
    return bracket === "{" ? objectOf(depth) : undefined;
  }

  function arrayOf(depth: number): ArrayShape | undefined {
    const parts: Shape[] = [];
    for (let at = next(); at.bracket !== "]"; at = next()) {
      const part = shapeOf(at, depth + 1);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return { parts };
  }

  function objectOf(depth: number): ObjectShape | undefined {
    const keys: string[] = [];
    const parts: Shape[] = [];
    for (let at = next(); at.bracket !== "}"; at = next()) {
      const key = at.word === undefined ? undefined : (JSON.parse(at.word) as string);
      // An assignment would take it for the prototype.
      if (key === undefined || key === "__proto__") return undefined;
      const part = shapeOf(next(), depth + 1);
      if (part === undefined) return undefined;
      keys.push(key);
      parts.push(part);
    }
    return { keys, parts, template: Object.fromEntries(keys.map((key) => [key, null])) };
  }

  const shape = shapeOf(next(), 0);
  if (shape === undefined || shape === scalar || pieces.length === 0) return undefined;
  pieces.push(text.slice(pieceStart));
  return { shape, pieces };
}

/** `Kind` in `native/form.h`. */
const kinds = { ascii: 0, utf8: 1, integer: 2, large: 3, decimal: 4, true: 5, false: 6, null: 7 };
const kindBits = 4;
const kindMask = (1 << kindBits) - 1;
const tens = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/**
 * Strings of a text up to this length are parts of one string, which costs less than each by itself. One that is kept
 * holds all of it in memory.
 */
const shortText = 256;

/** Makes values of the scalars that the addon found. */
export class Scalars {
  readonly #ints: Int32Array;
  readonly #bytes: Slices;
  readonly #dataStart: number;
  #at = 0;
  #text: string | undefined;
  #textStart = 0;
  #textEnd = 0;

  constructor(ints: Int32Array, bytes: Slices, dataStart: number) {
    this.#ints = ints;
    this.#bytes = bytes;
    this.#dataStart = dataStart;
  }

  /** The number of a value's form, with which its scalars begin. */
  formAt(index: number): number {
    return this.#ints[index] ?? -1;
  }

  /** `start` and `end`: where the text lies in the block. @throws `SyntaxError` where a scalar is no JSON */
  valueAt(index: number, shape: Shape, start: number, end: number): unknown {
    this.#at = index + 1;
    this.#text = undefined;
    this.#textStart = start;
    this.#textEnd = end;
    return this.#value(shape);
  }

  #value(shape: Shape): unknown {
    if (shape === scalar) return this.#next();
    const { keys, parts } = shape;
    if (keys === undefined) return parts.map((part) => this.#value(part));
    const value = { ...shape.template };
    for (let index = 0; index < keys.length; index += 1) {
      const part = parts[index] as Shape;
      value[keys[index] as string] = part === scalar ? this.#next() : this.#value(part);
    }
    return value;
  }

  #next(): unknown {
    const at = this.#ints[this.#at] ?? 0;
    const second = this.#ints[this.#at + 1] ?? 0;
    this.#at += 2;
    const more = second >> kindBits;
    const start = this.#dataStart + at;
    switch (second & kindMask) {
      case kinds.ascii:
        return this.#ascii(start, start + more);
      case kinds.utf8:
        return this.#bytes.utf8Slice(start, start + more);
      case kinds.integer:
        return at;
      case kinds.large:
        return more * 2 ** 32 + (at >>> 0);
      case kinds.decimal:
        return at / (tens[more] ?? Number.NaN);
      case kinds.true:
        return true;
      case kinds.false:
        return false;
      case kinds.null:
        return null;
      default:
        return JSON.parse(this.#bytes.utf8Slice(start, start + more));
    }
  }

  #ascii(from: number, to: number): string {
    const start = this.#textStart;
    if (this.#textEnd - start > shortText) return this.#bytes.latin1Slice(from, to);
    // Characters beyond ASCII are several of these, and are in no part that is taken.
    this.#text ??= this.#bytes.latin1Slice(start, this.#textEnd);
    return this.#text.slice(from - start, to - start);
  }
}

/** How many values of no known form there may be beyond those that have one, before another is learned. */
const patience = 100;
/** So much is remembered of values that had a known form. */
const mostTrust = 1_000;
/** So many forms are learned while values go on having others; then no more. */
const mostTries = 16;

/**
 * The forms of a partition's values. The addon looks for them in its own thread, so that what is left to do here is to
 * make objects.
 */
export class JsonForms {
  readonly #tell: (number: number, pieces: readonly string[]) => void;
  /** The newest, by their numbers. Blocks on their way may tell of older ones. */
  readonly #shapes = new Map<number, Shape>();
  #next = 0;
  #tries = mostTries;
  /** How many values had a known form, less those that had none. The first is learned from at once. */
  #balance = 1 - patience;

  /** `tell`: gives the addon a form to look for; without pieces it stops looking. */
  constructor(tell: (number: number, pieces: readonly string[]) => void) {
    this.#tell = tell;
  }

  /** The value that has a known form, of the text from `start` to `end` of its block; `undefined` where it has to be parsed after all. */
  read(scalars: Scalars, index: number, start: number, end: number): unknown {
    const shape = this.#shapes.get(scalars.formAt(index));
    if (shape === undefined) return undefined;
    if (this.#balance < mostTrust) this.#balance += 1;
    else this.#tries = mostTries;
    try {
      return scalars.valueAt(index, shape, start, end);
    } catch {
      // Its parser says what is wrong, and where.
      return undefined;
    }
  }

  /** Learns from a text that was parsed. `wasSought`: a form was looked for in it, and not found. */
  parsed(text: string, wasSought: boolean): void {
    if (this.#tries === 0 || (this.#shapes.size > 0 && !wasSought)) return;
    this.#balance -= 1;
    if (this.#balance > -patience) return;
    this.#balance = 0;
    this.#tries -= 1;
    const form = this.#tries === 0 ? undefined : formOf(text);
    if (form === undefined) {
      if (this.#tries === 0) this.#tell(0, []);
      return;
    }
    this.#shapes.set(this.#next, form.shape);
    this.#shapes.delete(this.#next - mostTries);
    this.#tell(this.#next, form.pieces);
    this.#next += 1;
  }
}
