import {
  type Doubts,
  doubtful,
  type Look,
  lost,
  noDoubt,
  type Trace,
  undefinedElement,
  undefinedEntry,
} from "./doubts.js";
import {
  isObject,
  leavesOut,
  lookAtChangedKeys,
  lookAtNumber,
  lookAtPerhapsUnknown,
  lookAtUnknown,
  lookForDropped,
} from "./looks.js";
import { mayBeUndefined, type WhenUndefined, whenEntryUndefined, whenUndefined } from "./zod-absence.js";
import { changes, isGuarded } from "./zod-checks.js";
import { goesTwoWays, overlaps, takesWrittenNull } from "./zod-kinds.js";
import { arrayOf, holdsCodec, isSchema, type Wire, type ZodDef, type ZodSchema } from "./zod-structure.js";

/**
 * What has to be looked at in each value that a zod schema gives before it is written: only the parts of which the
 * schema does not prove that they are read again as they are. `undefined` where it proves it of all of them.
 *
 * @param wire - what the wire side is
 * @param encodes - whether values are run through the schema backward
 */
export function zodLook(schema: ZodSchema, wire: Wire, encodes: boolean): Look | undefined {
  const around: Around = { wire, perhaps: false, guarded: false, encoded: false };
  const part = new Looks(encodes).partOf(schema, around);
  return part.isLookedAt ? part.itself.look : undefined;
}

/** What is around a part of a schema, as far as it matters for the part. */
interface Around {
  readonly wire: Wire;
  /** Whether another part of the schema may describe the same value. */
  readonly perhaps: boolean;
  /** Whether a property that is left out could make a difference to what is around it. */
  readonly guarded: boolean;
  /** Whether the value is what a codec gave: what that made it of is not compared with it. */
  readonly encoded: boolean;
}

/** A part of a schema. Schemas may hold themselves, so a part is there before its look is known. */
class Part {
  look: Look = noLook;
  isLookedAt = false;
  /** The part whose look this one has, where it adds nothing to it. */
  same: Part | undefined;
  readonly #holders: Part[] = [];

  /** This part is looked at by way of the one that holds it. */
  heldBy(holder: Part): this {
    if (this.isLookedAt) holder.mark();
    else this.#holders.push(holder);
    return this;
  }

  mark(): void {
    if (this.isLookedAt) return;
    this.isLookedAt = true;
    for (const holder of this.#holders) holder.mark();
  }

  /** The part that has the look, once all are known. */
  get itself(): Part {
    if (this.same !== undefined) this.same = this.same.itself;
    return this.same ?? this;
  }
}

interface Property {
  readonly name: string;
  readonly part: Part;
  readonly whenUndefined: WhenUndefined;
}

class Looks {
  readonly #encodes: boolean;
  readonly #parts = new Map<unknown, Map<string, Part>>();

  constructor(encodes: boolean) {
    this.#encodes = encodes;
  }

  partOf(schema: unknown, around: Around): Part {
    const key = `${around.wire} ${String(around.perhaps)} ${String(around.guarded)} ${String(around.encoded)}`;
    const parts = this.#parts.get(schema) ?? new Map<string, Part>();
    this.#parts.set(schema, parts);
    const known = parts.get(key);
    if (known !== undefined) return known;
    const part = new Part();
    parts.set(key, part);
    if (isSchema(schema)) this.#describe(part, schema, around);
    return part;
  }

  #describe(part: Part, schema: ZodSchema, around: Around): void {
    const { def } = schema._zod;
    const inner = isGuarded(def) ? { ...around, guarded: true } : around;
    this.#describeType(part, schema, inner);
    // What a check changed a value to may be refused by those before it.
    if (changes(def)) this.#leaf(part, around.encoded ? alwaysDoubtful : lookAtChange);
  }

  #describeType(part: Part, schema: ZodSchema, around: Around): void {
    const { def } = schema._zod;
    switch (def.type) {
      case "number":
        if (around.wire === "json") this.#leaf(part, lookAtNumber);
        return;
      case "literal":
      case "enum": {
        const values = def.type === "literal" ? arrayOf(def["values"]) : Object.values(def["entries"] ?? {});
        if (around.wire === "json" && values.includes(0)) this.#leaf(part, lookAtNumber);
        return;
      }
      case "any":
      case "unknown":
      case "custom":
        if (around.wire === "json") this.#leaf(part, around.perhaps ? lookAtPerhapsUnknown : lookAtUnknown);
        return;
      case "object":
        return this.#object(part, def, around);
      case "record":
        return this.#record(part, def, around);
      case "array":
        return this.#array(part, [], def["element"], around);
      case "tuple":
        return this.#array(part, arrayOf(def["items"]), def["rest"], around);
      case "union":
        return this.#union(part, def, around);
      case "intersection":
        return this.#all(part, [def["left"], def["right"]], { ...around, perhaps: true });
      case "pipe":
        return this.#pipe(part, def, around);
      case "lazy":
        return this.#all(part, [schema._zod.innerType], around);
      case "nullable":
        this.#all(part, [def["innerType"]], around);
        // What a codec writes as null would be read as null.
        if (goesTwoWays(def["innerType"]) && takesWrittenNull(def["innerType"]))
          this.#leaf(part, alwaysDoubtful);
        return;
      default:
        return this.#all(part, [def["innerType"]], around);
    }
  }

  #leaf(part: Part, look: Look): void {
    const { isLookedAt, itself } = part;
    const known = part.look;
    part.mark();
    if (part.same !== undefined)
      part.look = both((wire, given, trace) => itself.look(wire, given, trace), look);
    else part.look = isLookedAt || known !== noLook ? both(known, look) : look;
    part.same = undefined;
  }

  /** The same value has to be looked at in several ways. */
  #all(part: Part, schemas: readonly unknown[], around: Around): void {
    const parts = schemas.filter(isSchema).map((each) => this.partOf(each, around).heldBy(part));
    const [only] = parts;
    if (parts.length === 1) part.same = only;
    part.look = (wire, given, trace) => lookWithAll(parts, wire, given, trace);
  }

  #object(part: Part, def: ZodDef, around: Around): void {
    const shape = Object.entries(typeof def["shape"] === "object" ? (def["shape"] ?? {}) : {});
    const inner: Around = { ...around, wire: innerWire(around.wire) };
    const properties = shape.map(([name, schema]: [string, unknown]): Property => ({
      name,
      part: this.partOf(schema, inner).heldBy(part),
      whenUndefined: whenUndefined(name, schema, around),
    }));
    const rest =
      isSchema(def["catchall"]) && def["catchall"]._zod.def.type !== "never" ? def["catchall"] : undefined;
    const entry = rest === undefined ? undefined : this.partOf(rest, inner).heldBy(part);
    // Another option may read what one has left out of the value.
    const mayBeMisread = around.perhaps && rest === undefined;
    if (properties.some(isWatched) || entry !== undefined || mayBeMisread) part.mark();
    const names = new Set(shape.map(([name]) => name));
    const whenUnnamed = whenEntryUndefined(rest, around, false);
    let watched: readonly Property[] | undefined;
    let numbers: readonly string[] = [];
    part.look = (wire, given, trace) => {
      if (typeof wire !== "object" || wire === null) return noDoubt;
      const object = wire as Properties;
      if (watched === undefined) {
        // Now all parts are known. Most of what has to be looked at are numbers, which is done here.
        const all = properties.filter((property) => property.part.isLookedAt || isWatched(property));
        numbers = all.filter(isNumber).map(({ name }) => name);
        watched = all.filter((property) => !isNumber(property));
      }
      let doubts = mayBeMisread && leavesOut(object, given) ? doubtful : noDoubt;
      for (let index = 0; index < numbers.length; index++) {
        const name = numbers[index] as string;
        if (object[name] === 0) doubts |= lookAtProperty(name, numberPart, "never", object, object, trace);
      }
      if (watched.length > 0) doubts |= lookAtProperties(watched, object, sourceOf(given), trace);
      if (entry === undefined || Array.isArray(wire)) return doubts;
      doubts |= lookForDropped(wire, given, trace);
      const source = sourceOf(given);
      for (const name of Object.keys(object)) {
        if (!names.has(name))
          doubts |= lookAtProperty(name, entry.itself, whenUnnamed, object, source, trace);
      }
      return doubts;
    };
  }

  #record(part: Part, def: ZodDef, around: Around): void {
    const entry = this.partOf(def["valueType"], { ...around, wire: innerWire(around.wire) }).heldBy(part);
    const keys = isSchema(def["keyType"]) ? def["keyType"] : undefined;
    const changesKeys = keys !== undefined && (changes(keys._zod.def) || holdsCodec(keys));
    const when = whenEntryUndefined(def["valueType"], around, keys?._zod.values !== undefined);
    part.mark();
    part.look = (wire, given, trace) => {
      if (!isObject(wire)) return noDoubt;
      const source = sourceOf(given);
      let doubts = lookForDropped(wire, given, trace);
      if (changesKeys) doubts |= lookAtChangedKeys(wire, given, trace);
      if (!entry.isLookedAt && when === "never") return doubts;
      for (const name of Object.keys(wire)) {
        doubts |= lookAtProperty(name, entry.itself, when, wire, source, trace);
        if (doubts >= doubtful && trace === undefined) return doubts;
      }
      return doubts;
    };
  }

  #array(part: Part, first: readonly unknown[], rest: unknown, around: Around): void {
    const inner: Around = { ...around, wire: innerWire(around.wire) };
    const items = first.map((item) => this.partOf(item, inner).heldBy(part));
    const element = isSchema(rest) ? this.partOf(rest, inner).heldBy(part) : undefined;
    const mayLack = around.wire === "json" && [...first, rest].some((item) => mayBeUndefined(item));
    if (mayLack) part.mark();
    part.look = (wire, given, trace) => {
      if (!Array.isArray(wire)) return noDoubt;
      const source: readonly unknown[] = Array.isArray(given) ? given : noItems;
      const every = element?.itself;
      let doubts = noDoubt;
      for (let index = 0; index < wire.length; index++) {
        const item: unknown = wire[index];
        const of = index < items.length ? items[index]?.itself : every;
        trace?.enter(index);
        if (item === undefined && mayLack) {
          trace?.noteLost(undefinedElement);
          doubts |= lost;
        } else if (of !== undefined) doubts |= of.look(item, source[index], trace);
        trace?.leave();
        if (doubts >= doubtful && trace === undefined) return doubts;
      }
      return doubts;
    };
  }

  #union(part: Part, def: ZodDef, around: Around): void {
    const options = arrayOf(def["options"]).filter(isSchema);
    const discriminator = def["discriminator"];
    if (typeof discriminator === "string") return this.#discriminated(part, options, discriminator, around);
    // What one option has written another one may read, without the properties that were undefined.
    const guarded = around.guarded || this.#encodes || def["inclusive"] === false;
    this.#all(part, options, { ...around, perhaps: options.length > 1 || around.perhaps, guarded });
    if (this.#encodes && options.some((option, index) => isMisread(option, options.slice(0, index))))
      this.#leaf(part, alwaysDoubtful);
  }

  /** A union of which each value says what its option is. */
  #discriminated(part: Part, options: readonly ZodSchema[], discriminator: string, around: Around): void {
    const parts = options.map((option) => this.partOf(option, around).heldBy(part));
    const perhaps = options.map((option) => this.partOf(option, { ...around, perhaps: true }).heldBy(part));
    const byValue = new Map<unknown, Part>();
    for (const [index, option] of options.entries()) {
      const values = option._zod.propValues?.[discriminator];
      for (const value of values ?? []) byValue.set(value, parts[index] as Part);
    }
    part.look = (wire, given, trace) => {
      if (!isObject(wire)) return noDoubt;
      const option = byValue.get(wire[discriminator]);
      return option === undefined
        ? lookWithAll(perhaps, wire, given, trace)
        : option.itself.look(wire, given, trace);
    };
  }

  #pipe(part: Part, def: ZodDef, around: Around): void {
    if (typeof def["reverseTransform"] === "function") {
      const wireSide = this.partOf(def["in"], { ...around, encoded: true }).heldBy(part);
      part.look = (wire, _, trace) => wireSide.itself.look(wire, wire, trace);
      return;
    }
    const both = holdsCodec(def["in"]) ? [def["in"]] : [def["in"], def["out"]];
    this.#all(part, both, { ...around, perhaps: true, guarded: true });
  }
}

const noLook: Look = () => noDoubt;
const alwaysDoubtful: Look = () => doubtful;

/** Looks whether a check has changed a value. What zod has copied cannot be compared. */
const lookAtChange: Look = (wire, given) => (Object.is(wire, given) ? noDoubt : doubtful);

function both(one: Look, other: Look): Look {
  return (wire, given, trace) => one(wire, given, trace) | other(wire, given, trace);
}

function lookWithAll(
  parts: readonly Part[],
  wire: unknown,
  given: unknown,
  trace: Trace | undefined,
): Doubts {
  let doubts = noDoubt;
  for (const part of parts) if (part.isLookedAt) doubts |= part.itself.look(wire, given, trace);
  return doubts;
}

const numberPart = new Part();
numberPart.look = lookAtNumber;
numberPart.mark();

/** Whether a property is a number, and nothing else has to be known of it. */
function isNumber(property: Property): boolean {
  return property.part.itself.look === lookAtNumber && !isWatched(property);
}

function lookAtProperties(
  properties: readonly Property[],
  wire: Properties,
  source: Properties,
  trace: Trace | undefined,
): Doubts {
  let doubts = noDoubt;
  for (const { name, part, whenUndefined: when } of properties) {
    doubts |= lookAtProperty(name, part.itself, when, wire, source, trace);
    if (doubts >= doubtful && trace === undefined) return doubts;
  }
  return doubts;
}

function lookAtProperty(
  name: string,
  part: Part,
  when: WhenUndefined,
  wire: Properties,
  source: Properties,
  trace: Trace | undefined,
): Doubts {
  const value = wire[name];
  if (value !== undefined && (typeof value !== "function" || Object.hasOwn(wire, name))) {
    if (!part.isLookedAt) return noDoubt;
    trace?.enter(name);
    const doubts = part.look(value, source[name], trace);
    trace?.leave();
    return doubts;
  }
  if (when === "lost") {
    trace?.enter(name);
    trace?.noteLost(undefinedEntry);
    trace?.leave();
    return lost;
  }
  if (when === "never" || when === "fine") return noDoubt;
  if (!Object.hasOwn(wire, name) && !(name in noProperties)) return noDoubt;
  trace?.noteUndefined(name, when === "perhaps lost");
  return doubtful;
}

type Properties = Readonly<Record<string, unknown>>;

const noItems: readonly unknown[] = [];
const noProperties: Properties = Object.freeze({});

function sourceOf(given: unknown): Properties {
  return typeof given === "object" && given !== null ? (given as Properties) : noProperties;
}

function innerWire(wire: Wire): Wire {
  return wire === "headers" ? "string" : wire;
}

/** Whether a property is looked at for being undefined. */
function isWatched({ whenUndefined }: Property): boolean {
  return whenUndefined === "doubtful" || whenUndefined === "lost";
}

/** Whether what an option writes may be read by one before it, which makes something else of it. */
function isMisread(option: ZodSchema, before: readonly ZodSchema[]): boolean {
  return before.some((other) => (goesTwoWays(option) || goesTwoWays(other)) && overlaps(other, option));
}
