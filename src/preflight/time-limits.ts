import { resolveConsumerOptions } from "../group/options.js";
import { ConfigError } from "../errors.js";
import { resolveProcessorOptions } from "../processor/options.js";
import { resolveTransactionOptions } from "../transactions/transaction-options.js";
import type { CheckOptions } from "./options.js";
import type { Finding } from "./report.js";

/** What brokers allow unless their `group.min.session.timeout.ms` and `group.max.session.timeout.ms` say otherwise. */
const brokerSession = { min: 6_000, max: 1_800_000 };
const subject = "time limits";

/** Which of the time limits given are refused by the client that they are for, or contradict each other. Pure. */
export function checkTimeLimits(options: CheckOptions): readonly Finding[] {
  if (options.groupId === undefined && options.transactionalId === undefined) return [];
  const findings = [...refused(options), ...outsideBrokers(options)];
  if (findings.length > 0) return findings;
  return [{ level: "ok", subject, message: "do not contradict each other" }];
}

function refused(options: CheckOptions): readonly Finding[] {
  const { groupId, transactionalId, transactionTimeoutMs } = options;
  const { sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs, commitIntervalMs } = options;
  const reading = { sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs, commitIntervalMs };
  try {
    if (groupId !== undefined && transactionalId !== undefined)
      resolveProcessorOptions({ groupId, transactionalId, transactionTimeoutMs, ...reading }, {});
    else if (groupId !== undefined) resolveConsumerOptions({ groupId, ...reading });
    else if (transactionalId !== undefined)
      resolveTransactionOptions({ transactionalId, transactionTimeoutMs }, {});
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [{ level: "error", subject, message: error.message }];
  }
}

function outsideBrokers({ groupId, sessionTimeoutMs }: CheckOptions): readonly Finding[] {
  const { min, max } = brokerSession;
  if (groupId === undefined || sessionTimeoutMs === undefined) return [];
  if (sessionTimeoutMs >= min && sessionTimeoutMs <= max) return [];
  return [
    {
      level: "warning",
      subject,
      message: `sessionTimeoutMs (${sessionTimeoutMs}) is outside ${min} to ${max}, which is what brokers take by default`,
      remedy: "change it, or the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms",
    },
  ];
}
