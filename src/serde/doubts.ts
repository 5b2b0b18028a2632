import type { Issue } from "../errors.js";

/**
 * What there is to say about a value that is about to be written, one bit each: whether it would be read again
 * as it is.
 */
export type Doubts = number;

/** It is read again as it is. */
export const noDoubt: Doubts = 0;
/** It holds a -0, which `JSON.stringify` would write as 0. */
export const negativeZero: Doubts = 1;
/** Reading it back would tell: a property is undefined, or the schema has changed something. */
export const doubtful: Doubts = 2;
/** It holds what JSON loses or changes. */
export const lost: Doubts = 4;

/**
 * Looks at a value that a schema gave and that is about to be written. The first look, of every value, is without a
 * trace, and allocates nothing; the second, of the few values with a doubt, is the same with one.
 *
 * @param wire - the value to be written
 * @param given - the value that the schema made it of, as far as that is known; else the same value
 */
export type Look = (wire: unknown, given: unknown, trace: Trace | undefined) => Doubts;

/** A property that is undefined, and is left out of what is written. */
export interface UndefinedProperty {
  readonly path: readonly PropertyKey[];
  /** Whether the schema may not name the property, so that it is an entry of the value's own which vanishes. */
  readonly mayBeUnnamed: boolean;
}

/** Where the doubts are. */
export class Trace {
  readonly undefinedProperties: UndefinedProperty[] = [];
  firstLost: Issue | undefined;
  firstNegativeZero: readonly PropertyKey[] | undefined;
  readonly #path: PropertyKey[] = [];

  enter(name: PropertyKey): void {
    this.#path.push(name);
  }

  leave(): void {
    this.#path.pop();
  }

  noteLost(message: string): void {
    this.firstLost ??= { message, path: [...this.#path] };
  }

  noteNegativeZero(): void {
    this.firstNegativeZero ??= [...this.#path];
  }

  noteUndefined(name: PropertyKey, mayBeUnnamed: boolean): void {
    this.undefinedProperties.push({ path: [...this.#path, name], mayBeUnnamed });
  }
}

/** What an entry that is undefined is called where it is the value's own. */
export const undefinedEntry =
  "undefined is left out of JSON, and its name with it: use null, or leave it out";

/** What an element of an array that is undefined is called. */
export const undefinedElement = "undefined is not JSON: it would be read as null";

/** What a name that a schema has left out is called. */
export const droppedName = "the schema leaves out a property of this name, so it would not be sent";
