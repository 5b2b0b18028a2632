// What json(schema) costs beside the vendor's own check and JSON.stringify: that is what finding out whether a value
// would be read again as it was sent costs. In CPU time, which a busy machine changes less than the clock.
//
//   npm run bench:serializing
import { type } from "arktype";
import { json } from "../dist/index.js";
import * as v from "valibot";
import { z } from "zod";

const passes = 15;
const valuesInPass = 20_000;

const schemas = {
  zod: z.object({
    id: z.number(),
    name: z.string(),
    email: z.string(),
    active: z.boolean(),
    score: z.number(),
    tags: z.array(z.string()),
    address: z.object({ city: z.string(), zip: z.string() }),
  }),
  valibot: v.object({
    id: v.number(),
    name: v.string(),
    email: v.string(),
    active: v.boolean(),
    score: v.number(),
    tags: v.array(v.string()),
    address: v.object({ city: v.string(), zip: v.string() }),
  }),
  arktype: type({
    id: "number",
    name: "string",
    email: "string",
    active: "boolean",
    score: "number",
    tags: "string[]",
    address: { city: "string", zip: "string" },
  }),
};

const values = Array.from({ length: 1_000 }, (_, id) => ({
  id,
  name: `Ann Example ${id}`,
  email: "ann@example.com",
  active: true,
  score: 1.5,
  tags: ["a", "b"],
  address: { city: "Berlin", zip: "10115" },
}));

console.log("Microseconds of CPU for a value, the least of the passes:\n");
for (const [vendor, schema] of Object.entries(schemas)) {
  const { validate } = schema["~standard"];
  const { serialize } = json(schema);
  const context = { topic: "students", part: "value" };
  // They take turns, so that both have the same machine.
  const [bare, ours] = leastOf([
    (value) => Buffer.from(JSON.stringify(validate(value).value)),
    (value) => serialize(value, context),
  ]);
  const more = (100 * (ours / bare - 1)).toFixed(0);
  console.log(`${vendor.padEnd(8)} bare ${bare.toFixed(2)}, json(schema) ${ours.toFixed(2)}: ${more} % more`);
}

function leastOf(calls) {
  const least = calls.map(() => Infinity);
  for (let pass = 0; pass < passes; pass++)
    for (const [index, call] of calls.entries()) least[index] = Math.min(least[index], cpuOf(call));
  return least;
}

function cpuOf(call) {
  const begin = process.cpuUsage();
  for (let index = 0; index < valuesInPass; index++) call(values[index % values.length]);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / valuesInPass;
}
