import { resolveConsumerOptions } from "../group/options.js";
import { ConfigError } from "../errors.js";
import { resolveProcessorOptions } from "../processor/options.js";
import { resolveTransactionOptions } from "../transactions/transaction-options.js";
import type { BrokerSettings } from "./group-findings.js";
import type { CheckOptions } from "./options.js";
import type { Finding } from "./report.js";

/** What brokers allow unless they are configured otherwise. */
const brokersDefaults: ReadonlyMap<string, string> = new Map([
  ["group.min.session.timeout.ms", "6000"],
  ["group.max.session.timeout.ms", "1800000"],
]);
const defaultSessionMs = 45_000;
const defaultPollMs = 300_000;
const subject = "time limits";

/**
 * Which of the time limits given are refused by the client that they are for, or by the brokers, or contradict each
 * other. Pure.
 */
export function checkTimeLimits(options: CheckOptions, settings: BrokerSettings): readonly Finding[] {
  if (options.groupId === undefined && options.transactionalId === undefined) return [];
  const findings = [...refused(options), ...outsideBrokers(options, settings)];
  if (findings.length > 0) return findings;
  return [{ level: "ok", subject, message: "do not contradict each other" }];
}

function refused(options: CheckOptions): readonly Finding[] {
  const { groupId, transactionalId, transactionTimeoutMs, stores } = options;
  const { sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs, commitIntervalMs } = options;
  const reading = { sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs, commitIntervalMs };
  try {
    if (groupId !== undefined && transactionalId !== undefined)
      resolveProcessorOptions({ groupId, transactionalId, transactionTimeoutMs, stores, ...reading }, {});
    else if (groupId !== undefined) resolveConsumerOptions({ groupId, ...reading });
    else if (transactionalId !== undefined)
      resolveTransactionOptions({ transactionalId, transactionTimeoutMs }, {});
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [{ level: "error", subject, message: error.message }];
  }
}

function outsideBrokers(
  { groupId, groupProtocol, sessionTimeoutMs, maxPollIntervalMs = defaultPollMs }: CheckOptions,
  settings: BrokerSettings,
): readonly Finding[] {
  if (groupId === undefined || groupProtocol === "consumer") return [];
  const sessionMs = sessionTimeoutMs ?? Math.min(defaultSessionMs, maxPollIntervalMs);
  const limitOf = (name: string): number => Number((settings ?? brokersDefaults).get(name));
  const min = limitOf("group.min.session.timeout.ms");
  const max = limitOf("group.max.session.timeout.ms");
  // Of what is not told, nothing is known.
  if (!(sessionMs < min || sessionMs > max)) return [];
  const takers =
    settings === undefined ? "which is what brokers take by default" : "which is what these brokers take";
  return [
    {
      level: settings === undefined ? "warning" : "error",
      subject,
      message: `sessionTimeoutMs (${sessionMs}) is outside ${min} to ${max}, ${takers}`,
      remedy: "change it, or the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms",
    },
  ];
}
