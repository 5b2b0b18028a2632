import { describe, expectTypeOf, test } from "vitest";
import { type AnyTopic, defineTopic, Kafka, type RecordOf, topicPattern } from "typed-kafka";
import { z } from "zod";

const students = defineTopic("students", { value: z.object({ id: z.number(), name: z.string() }) });
const grades = defineTopic("grades", { value: z.object({ grade: z.number() }), tombstones: true });
const logs = topicPattern(/^logs\./, {
  value: z.object({ line: z.string() }),
  key: z.object({ host: z.string() }),
});
const kafka = new Kafka({ brokers: "localhost:9092" });
const options = { groupId: "types" };

describe("a consumer", () => {
  test("of one topic gives its records", () => {
    void kafka.consumer(students, options).run((record) => {
      expectTypeOf(record.value).toEqualTypeOf<{ id: number; name: string }>();
      expectTypeOf(record.key).toEqualTypeOf<string | null>();
      expectTypeOf(record.topic).toEqualTypeOf<"students">();
      // @ts-expect-error -- the value has no such field
      void record.value.grade;
    });
  });

  test("of several topics narrows the value by the topic's name", () => {
    void kafka.consumer([students, grades], options).run((record) => {
      if (record.topic === "students") {
        expectTypeOf(record.value).toEqualTypeOf<{ id: number; name: string }>();
        // @ts-expect-error -- that is the other topic's
        void record.value.grade;
      } else expectTypeOf(record.value).toEqualTypeOf<{ grade: number } | null>();
    });
  });

  test("gives the same records in batches and in a loop", async () => {
    void kafka.consumer(students, options).runBatch((records, { signal, attempt }) => {
      expectTypeOf(records[0]?.value).toEqualTypeOf<{ id: number; name: string } | undefined>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(attempt).toEqualTypeOf<number>();
    });
    for await (const record of kafka.consumer(grades, options))
      expectTypeOf(record.value).toEqualTypeOf<{ grade: number } | null>();
  });

  test("of a pattern gives records of one type, whose topic is a text", () => {
    void kafka.consumer(logs, options).run((record) => {
      expectTypeOf(record.topic).toEqualTypeOf<string>();
      expectTypeOf(record.value).toEqualTypeOf<{ line: string }>();
      expectTypeOf(record.key).toEqualTypeOf<{ host: string } | null>();
    });
  });

  test("gives a generic function the records of its topic", () => {
    const handle = <T extends AnyTopic>(topic: T, handler: (record: RecordOf<T>) => Promise<void>) =>
      kafka.consumer(topic, options).run(handler);
    void handle(students, ({ value }) => {
      expectTypeOf(value).toEqualTypeOf<{ id: number; name: string }>();
      return Promise.resolve();
    });
    const iterate = async <T extends AnyTopic>(topic: T, handler: (record: RecordOf<T>) => Promise<void>) => {
      for await (const record of kafka.consumer(topic, options)) await handler(record);
    };
    void iterate;
    expectTypeOf<RecordOf<typeof logs>["topic"]>().toEqualTypeOf<string>();
  });

  test("takes no options that do not exist, and no seek without a partition or to an unknown target", () => {
    // @ts-expect-error -- it is groupId
    void kafka.consumer(students, { group: "types" });
    // @ts-expect-error -- there is no such order
    void kafka.consumer(students, { groupId: "types", order: "topic" });
    // @ts-expect-error -- a partition is needed
    void kafka.consumer(students, options).seek({ topic: "students" }, 0);
    // @ts-expect-error -- not one of the targets
    void kafka.consumer(students, options).seek({ topic: "students", partition: 0 }, "end");
  });
});

test("nothing can be sent to a pattern", () => {
  // @ts-expect-error -- it has no name
  void kafka.producer().send(logs, { value: { line: "x" } });
});

test("a pattern has no keyOf and makes no topics", () => {
  // @ts-expect-error -- nothing is sent to it
  topicPattern(/x/, { value: z.string(), keyOf: () => "x" });
  // @ts-expect-error -- it makes no topics
  topicPattern(/x/, { value: z.string(), partitions: 3 });
});
