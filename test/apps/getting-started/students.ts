import { defineTopic } from "typed-kafka";
import { z } from "zod";

export const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string(), course: z.string() }),
  keyOf: (student) => String(student.id),
});

export const enrolled = [
  { id: 1, name: "Samwel", course: "Data Engineering" },
  { id: 2, name: "Alice", course: "AI Engineering" },
  { id: 3, name: "John", course: "Cloud Computing" },
];
