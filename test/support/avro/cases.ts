/** A value that is written with one Avro schema and read with another. */
export interface ReadingCase {
  readonly what: string;
  readonly writer: unknown;
  readonly reader: unknown;
  /** As avsc takes it, with unions that are not wrapped. */
  readonly values: readonly unknown[];
}

const field = (type: unknown, more: object = {}): object => ({ name: "f", type, ...more });
const record = (fields: readonly object[], name = "shop.Order", more: object = {}): object => ({
  type: "record",
  name,
  fields,
  ...more,
});
/** A record of one field. */
const of = (type: unknown): object => record([field(type)]);
const state = (symbols: readonly string[], more: object = {}): object => ({
  type: "enum",
  name: "shop.State",
  symbols,
  ...more,
});
const a = record([{ name: "a", type: "int" }], "shop.A");
const b = record([{ name: "b", type: "int" }], "shop.B");
const list = (more: readonly object[], next: unknown = ["null", "shop.List"]): object =>
  record([{ name: "value", type: "int" }, ...more, { name: "next", type: next }], "shop.List");

/** One written type read as another, in a field. */
const inField = (
  what: string,
  writer: unknown,
  reader: unknown,
  ...values: readonly unknown[]
): ReadingCase => ({ what, writer: of(writer), reader: of(reader), values: values.map((f) => ({ f })) });

/** What is read with another schema than it was written with, and what Avro's own libraries are asked about. */
export const readingCases: readonly ReadingCase[] = [
  inField("a field was made nullable", ["null", "string"], "string", "x", null),
  inField("a field is nullable no more", "string", ["null", "string"], "x"),
  inField("the branches of a union in another order", ["null", "string"], ["string", "null"], "x", null),
  inField("a branch was added", ["null", "string", "int"], ["null", "string"], "x", null, 5),
  inField("a branch was taken away", ["null", "string"], ["null", "string", "int"], "x", null),
  inField("a branch that is promoted", ["null", "int"], ["null", "double"], 5, null),
  inField("a branch that is the same before one that takes it", "int", ["double", "int"], 5),
  inField("the first branch that takes it", "int", ["string", "long", "double"], 5),
  inField("text as a branch of bytes", "string", ["null", "bytes"], "x"),
  inField("a symbol was added", state(["A", "B", "C"]), state(["A", "B"]), "A", "C"),
  inField(
    "a symbol was added, and there is a default",
    state(["A", "C"]),
    state(["A", "B"], { default: "B" }),
    "A",
    "C",
  ),
  inField("symbols in another order", state(["A", "B"]), state(["B", "A"]), "A", "B"),
  inField("an enum behind a union", ["null", state(["A", "C"])], ["null", state(["A"])], "A", "C", null),
  inField("int as long", "int", "long", -7),
  inField("int as float", "int", "float", 16_777_217),
  inField("int as double", "int", "double", 2_147_483_647),
  inField("long as float", "long", "float", 123_456_789),
  inField("long as double", "long", "double", 9_007_199_254_740_990),
  inField("float as double", "float", "double", 0.1),
  inField("long as int", "long", "int", 1),
  inField("double as float", "double", "float", 1.5),
  inField("text as bytes", "string", "bytes", "zürich"),
  inField("bytes as text", "bytes", "string", Buffer.from("zürich")),
  inField("text as a number", "string", "int", "1"),
  inField("a number as text", "int", "string", 1),
  inField(
    "an array's items",
    { type: "array", items: ["null", "int"] },
    { type: "array", items: "long" },
    [],
    [1, 2],
    [1, null],
  ),
  inField(
    "a map's values",
    { type: "map", values: ["int", "string"] },
    { type: "map", values: "long" },
    {},
    { x: 1, y: 2 },
    { x: 1, y: "2" },
  ),
  inField(
    "an array of maps of unions",
    { type: "array", items: { type: "map", values: ["null", "int", "string"] } },
    { type: "array", items: { type: "map", values: ["double", "null"] } },
    [{ x: 1 }, { y: null }],
    [{ x: "1" }],
  ),
  inField(
    "a fixed",
    { type: "fixed", name: "shop.F", size: 2 },
    { type: "fixed", name: "F", size: 2 },
    Buffer.from([1, 2]),
  ),
  inField(
    "a fixed of another size",
    { type: "fixed", name: "shop.F", size: 2 },
    { type: "fixed", name: "shop.F", size: 3 },
    Buffer.from([1, 2]),
  ),
  inField(
    "a fixed of another name",
    { type: "fixed", name: "shop.F", size: 2 },
    { type: "fixed", name: "shop.G", size: 2 },
    Buffer.from([1, 2]),
  ),
  inField("a fixed as bytes", { type: "fixed", name: "shop.F", size: 2 }, "bytes", Buffer.from([1, 2])),
  inField("an enum of another name", state(["A"]), state(["A"], { name: "shop.Other" }), "A"),
  inField(
    "an enum renamed by alias",
    state(["A"]),
    state(["A"], { name: "shop.Other", aliases: ["State"] }),
    "A",
  ),
  inField(
    "a record in a union renamed by alias",
    ["null", a],
    ["null", record([{ name: "a", type: "long" }], "shop.Z", { aliases: ["shop.A"] })],
    { a: 1 },
    null,
  ),
  {
    what: "the reader has no namespace",
    writer: of("string"),
    reader: record([field("string")], "Order"),
    values: [{ f: "x" }],
  },
  {
    what: "the writer has no namespace",
    writer: record([field("string")], "Order"),
    reader: of("string"),
    values: [{ f: "x" }],
  },
  {
    what: "a record renamed by alias",
    writer: of("int"),
    reader: record([field("long")], "shop.Purchase", { aliases: ["shop.Order"] }),
    values: [{ f: 1 }],
  },
  {
    what: "a field renamed by alias",
    writer: of("int"),
    reader: record([{ name: "g", type: "long", aliases: ["f"] }]),
    values: [{ f: 1 }],
  },
  {
    what: "a field renamed, and another one that has its name now",
    writer: of("int"),
    reader: record([{ name: "g", type: "long", aliases: ["f"] }, field("int", { default: 9 })]),
    values: [{ f: 1 }],
  },
  {
    what: "a field that was added",
    writer: of("int"),
    reader: record([field("int"), { name: "g", type: ["null", "string"], default: null }]),
    values: [{ f: 1 }],
  },
  {
    what: "a field that was added, of every kind",
    writer: record([]),
    reader: record([
      { name: "text", type: "string", default: "x" },
      { name: "bytes", type: "bytes", default: "\u00ff" },
      { name: "list", type: { type: "array", items: "int" }, default: [1] },
      { name: "map", type: { type: "map", values: "int" }, default: { x: 1 } },
      { name: "union", type: ["int", "null"], default: 5 },
      { name: "inner", type: a, default: { a: 3 } },
      { name: "state", type: state(["A", "B"]), default: "B" },
    ]),
    values: [{}],
  },
  {
    what: "a field that was added without a default",
    writer: of("int"),
    reader: record([field("int"), { name: "g", type: "int" }]),
    values: [{ f: 1 }],
  },
  {
    what: "fields in another order, and one that is gone",
    writer: record([
      { name: "gone", type: { type: "array", items: ["null", a] } },
      field("int"),
      { name: "g", type: "string" },
    ]),
    reader: record([{ name: "g", type: "string" }, field("int")]),
    values: [{ gone: [{ a: 1 }, null], f: 2, g: "x" }],
  },
  {
    what: "a branch without what is wanted, not used",
    writer: of(["null", a]),
    reader: of([
      "null",
      record(
        [
          { name: "a", type: "int" },
          { name: "more", type: "int" },
        ],
        "shop.A",
      ),
    ]),
    values: [{ f: null }, { f: { a: 1 } }],
  },
  {
    what: "a list that holds itself",
    writer: list([]),
    reader: list([{ name: "more", type: "int", default: 0 }]),
    values: [{ value: 1, next: { value: 2, next: null } }],
  },
  {
    what: "a list that holds itself, with a branch that was added",
    writer: list([], ["null", "shop.List", "string"]),
    reader: list([]),
    values: [
      { value: 1, next: { value: 2, next: null } },
      { value: 1, next: { value: 2, next: "end" } },
    ],
  },
  {
    what: "a tree",
    writer: record(
      [{ name: "children", type: { type: "array", items: "shop.Tree" } }, field("int")],
      "shop.Tree",
    ),
    reader: record(
      [field("long"), { name: "children", type: { type: "array", items: "shop.Tree" } }],
      "shop.Tree",
    ),
    values: [
      {
        children: [
          { children: [], f: 1 },
          { children: [{ children: [], f: 2 }], f: 3 },
        ],
        f: 4,
      },
    ],
  },
  {
    what: "a union as a whole",
    writer: ["null", "string", a],
    reader: ["string", record([{ name: "a", type: "double" }], "shop.A")],
    values: ["x", { a: 1 }, null],
  },
  { what: "not a union as a whole", writer: ["int", "string"], reader: "string", values: ["x", 5] },
  { what: "a record as a map", writer: a, reader: { type: "map", values: "int" }, values: [{ a: 1 }] },
  {
    what: "an array as a union of another",
    writer: of({ type: "array", items: "int" }),
    reader: of(["null", { type: "array", items: "long" }]),
    values: [{ f: [1] }],
  },
  {
    what: "one of two records",
    writer: of([a, b]),
    reader: of([b, a]),
    values: [{ f: { "shop.A": { a: 1 } } }, { f: { "shop.B": { b: 2 } } }],
  },
  ...["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "class", "prototype"].map(
    (name) => ({
      what: `a field named ${name}`,
      writer: record([{ name, type: "int" }]),
      reader: record([
        { name: "added", type: "int", default: 0 },
        { name, type: ["null", "long"] },
      ]),
      values: [JSON.parse(`{ "${name}": 5 }`) as unknown],
    }),
  ),
  {
    what: "a field named toString, which was added",
    writer: of("int"),
    reader: record([field("int"), { name: "toString", type: "int", default: 3 }]),
    values: [{ f: 1 }],
  },
];
