import { defineTopic, type ValueOf } from "typed-kafka";
import { z } from "zod";

export const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: (student) => String(student.id),
});
export type Student = ValueOf<typeof students>;
