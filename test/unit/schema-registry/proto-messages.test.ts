import { describe, expect, test } from "vitest";
import { indexesOf, messageAt, parseProto } from "../../../src/schema-registry/proto-messages.js";

const text = `
syntax = "proto3";
// message InAComment {
package school.v1;
/* message InAnother { */
option java_package = "message Text {";
import "google/protobuf/timestamp.proto";

enum Level { LOW = 0; }

message First {
  option (custom) = { message: "a { b" };
  string message = 1;
  oneof kind { string a = 2; string b = 3; }
  map<string, int64> counts = 4;
  message Inner { message Deep {} enum E { X = 0; } message Deeper {} }
  reserved "x";
}
message Second{message Inner{}}
service Things { rpc Get (First) returns (Second) { option (http) = { get: "/" }; } }
message Third {}
`;
const file = parseProto(text);

describe("the messages in the text of a .proto file", () => {
  test.each([
    ["school.v1.First", [0]],
    ["school.v1.First.Inner", [0, 0]],
    ["school.v1.First.Inner.Deep", [0, 0, 0]],
    ["school.v1.First.Inner.Deeper", [0, 0, 1]],
    ["school.v1.Second", [1]],
    ["school.v1.Second.Inner", [1, 0]],
    ["school.v1.Third", [2]],
  ])("%s is at %j", (name, indexes) => {
    expect(messageAt(file, indexes)).toBe(name);
    expect(indexesOf(file, name)).toEqual(indexes);
  });

  test("there is nothing elsewhere", () => {
    expect(messageAt(file, [3])).toBeUndefined();
    expect(messageAt(file, [0, 1])).toBeUndefined();
    for (const name of ["First", "school.v1.Fourth", "school.v1.First.Deep", "other.First"])
      expect(indexesOf(file, name)).toBeUndefined();
  });

  test("a file may have no package", () => {
    const bare = parseProto("message A {} message B {}");
    expect(messageAt(bare, [1])).toBe("B");
    expect(indexesOf(bare, "B")).toEqual([1]);
  });
});
