import { resolveConsumerOptions } from "../consumer/options.js";
import { ConfigError } from "../errors.js";
import type { ResolvedFailureOptions } from "../failure/options.js";
import type { CheckOptions } from "./options.js";
import type { Finding } from "./report.js";

/** What brokers allow unless their `group.min.session.timeout.ms` and `group.max.session.timeout.ms` say otherwise. */
const brokerSession = { min: 6_000, max: 1_800_000 };
const defaultTransactionMs = 60_000;
const subject = "time limits";

/** Which of the time limits given contradict each other. Pure. */
export function checkTimeLimits(
  options: CheckOptions,
  failure: ResolvedFailureOptions | undefined,
): readonly Finding[] {
  const findings = [...consumerLimits(options), ...transactionLimits(options, failure)];
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

function transactionLimits(
  options: CheckOptions,
  failure: ResolvedFailureOptions | undefined,
): readonly Finding[] {
  const { transactionalId, maxPollIntervalMs, commitIntervalMs, timeoutMs = defaultTransactionMs } = options;
  if (transactionalId === undefined) return [];
  const findings: Finding[] = [];
  if (commitIntervalMs !== undefined && commitIntervalMs >= timeoutMs)
    findings.push({
      level: "error",
      subject,
      message: `commitIntervalMs (${commitIntervalMs}) is not below the transaction's timeoutMs (${timeoutMs}): brokers would abort every transaction`,
    });
  if (maxPollIntervalMs !== undefined && maxPollIntervalMs > timeoutMs)
    findings.push({
      level: "warning",
      subject,
      message: `a handler may run for maxPollIntervalMs (${maxPollIntervalMs}), but the broker aborts its transaction after timeoutMs (${timeoutMs})`,
      remedy: "raise timeoutMs, or lower maxPollIntervalMs",
    });
  const waitsMs = failure?.retry === undefined ? 0 : longestWaits(failure.retry);
  if (waitsMs >= timeoutMs)
    findings.push({
      level: "warning",
      subject,
      message: `the retries of one record may wait ${waitsMs} ms in all, but the broker aborts the transaction they wait in after timeoutMs (${timeoutMs})`,
      remedy: "retry less often in place and give the rest to retryTopics, or raise timeoutMs",
    });
  return findings;
}

function longestWaits(retry: NonNullable<ResolvedFailureOptions["retry"]>): number {
  let sum = 0;
  for (let failed = 1; failed < retry.attempts; failed += 1)
    sum += Math.min(retry.maxDelayMs, retry.initialDelayMs * retry.factor ** (failed - 1));
  return Math.round(sum);
}
