import { describe, expect, test } from "vitest";
import { ConnectionTrouble } from "../../../src/driver/connection-trouble.js";

const refusedAt = (name: string) =>
  `${name}: Connect to ipv4#10.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT, 7 identical error(s) suppressed)`;

describe("the last connection that failed", () => {
  test("is told with its address and reason, for a minute", () => {
    let now = 0;
    const trouble = new ConnectionTrouble("kafka:9092", () => now);
    expect([trouble.reason, trouble.suffix]).toEqual([undefined, ""]);
    trouble.note(refusedAt("kafka:9092/bootstrap"));
    expect(trouble.reason).toBe(
      "kafka:9092/bootstrap: Connect to ipv4#10.0.0.1:9093 failed: Connection refused",
    );
    expect(trouble.suffix).toBe(`. The last connection that failed: ${trouble.reason ?? ""}`);
    now = 60_001;
    expect(trouble.suffix).toBe("");
    trouble.note(refusedAt("kafka:9092/bootstrap"));
    expect(trouble.suffix).not.toBe("");
  });

  test.each([
    refusedAt("broker-1:9093/1"),
    refusedAt("GroupCoordinator: broker-1:9093"),
    "broker-1:9093/1: Failed to resolve 'broker-1:9093': Name or service not known (after 3ms in state CONNECT)",
    "broker-1:9093/1: Connection setup timed out in state CONNECT (after 30042ms in state CONNECT)",
  ])("names an address that brokers advertise and nobody gave: %s", (reason) => {
    const trouble = new ConnectionTrouble("kafka:9092");
    trouble.note(reason);
    expect(trouble.reason).toContain("The brokers advertise broker-1:9093 (`advertised.listeners`)");
    expect(trouble.reason).not.toContain("in state CONNECT)");
  });

  test.each([
    ["an address that was given", "kafka:9092, broker-1:9093", refusedAt("broker-1:9093/1")],
    ["a connection that broke", "kafka:9092", "broker-1:9093/1: Disconnected (after 5000ms in state UP)"],
  ])("says nothing of that for %s", (_, brokers, reason) => {
    const trouble = new ConnectionTrouble(brokers);
    trouble.note(reason);
    expect(trouble.reason).not.toContain("advertise");
  });

  test("asks for `sasl` where a port wants credentials, and for `ssl` where it speaks TLS", () => {
    const trouble = new ConnectionTrouble("kafka:9092");
    trouble.note(
      "kafka:9092/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication (after 3ms in state UP)",
    );
    expect(trouble.reason).toContain("Check the option `sasl`");
    trouble.note(
      "kafka:9092/bootstrap: Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 3ms in state APIVERSION_QUERY)",
    );
    expect(trouble.reason).toContain("Check the option `ssl`");
  });
});
