import { resolveConsumerOptions } from "../consumer/options.js";
import { ConfigError } from "../errors.js";
import type { CheckOptions } from "./options.js";
import type { Finding } from "./report.js";

/** What brokers allow unless their `group.min.session.timeout.ms` and `group.max.session.timeout.ms` say otherwise. */
const brokerSession = { min: 6_000, max: 1_800_000 };
const defaultTransactionMs = 60_000;
const subject = "time limits";

/** Which of the time limits given contradict each other. Pure. */
export function checkTimeLimits(options: CheckOptions): readonly Finding[] {
  const findings = [...consumerLimits(options), ...transactionLimits(options)];
  if (findings.length > 0 || !asked(options)) return findings;
  return [{ level: "ok", subject, message: "do not contradict each other" }];
}

function asked(options: CheckOptions): boolean {
  return options.groupId !== undefined || options.transactionalId !== undefined;
}

function consumerLimits(options: CheckOptions): readonly Finding[] {
  const { groupId, sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs } = options;
  if (groupId === undefined) return [];
  const findings: Finding[] = [];
  try {
    resolveConsumerOptions({ groupId, sessionTimeoutMs, maxPollIntervalMs, drainTimeoutMs });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    findings.push({ level: "error", subject, message: error.message });
  }
  if (
    sessionTimeoutMs !== undefined &&
    (sessionTimeoutMs < brokerSession.min || sessionTimeoutMs > brokerSession.max)
  )
    findings.push({
      level: "warning",
      subject,
      message: `sessionTimeoutMs (${sessionTimeoutMs}) is outside ${brokerSession.min} to ${brokerSession.max}, which is what brokers take by default`,
      remedy: "change it, or the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms",
    });
  return findings;
}

function transactionLimits({
  transactionalId,
  commitIntervalMs,
  timeoutMs = defaultTransactionMs,
}: CheckOptions): readonly Finding[] {
  if (transactionalId === undefined || commitIntervalMs === undefined || commitIntervalMs < timeoutMs)
    return [];
  const message = `commitIntervalMs (${commitIntervalMs}) is not below the transaction's timeoutMs (${timeoutMs}): brokers would abort every transaction`;
  return [{ level: "error", subject, message }];
}
