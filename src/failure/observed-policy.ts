import type { FailureEvent } from "../telemetry/activities.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { Decision } from "./decide.js";
import { type Failure, FailurePolicy, type Outcome } from "./failure-policy.js";
import type { ResolvedFailureOptions } from "./options.js";

/** The policy; with telemetry, one that tells what it decides. */
export function observedPolicy(
  telemetry: ClientTelemetry | undefined,
  options: ResolvedFailureOptions,
): FailurePolicy {
  return telemetry === undefined ? new FailurePolicy(options) : new ObservedPolicy(telemetry, options);
}

class ObservedPolicy extends FailurePolicy {
  readonly #telemetry: ClientTelemetry;

  constructor(telemetry: ClientTelemetry, options: ResolvedFailureOptions) {
    super(options);
    this.#telemetry = telemetry;
  }

  override onFailure(failure: Failure): Outcome {
    const outcome = super.onFailure(failure);
    const action = outcome.action === "move" ? outcome.to : outcome.action;
    this.#tell(this.sourceOf(failure.raw.topic), failure.attempt === 0 ? "invalid" : "handler", action);
    return outcome;
  }

  override onBatchFailure(
    first: Parameters<FailurePolicy["onBatchFailure"]>[0],
    error: unknown,
    attempt: number,
  ): Decision {
    const decision = super.onBatchFailure(first, error, attempt);
    this.#tell(first.topic, "handler", decision.action);
    return decision;
  }

  #tell(topic: string, reason: FailureEvent["reason"], action: FailureEvent["action"]): void {
    this.#telemetry.onFailure({ groupId: this.options.groupId, topic, reason, action });
  }
}
