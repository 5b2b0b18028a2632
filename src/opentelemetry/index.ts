/**
 * Traces and metrics of OpenTelemetry. Needs `@opentelemetry/api`, and for anything to come of it an SDK.
 *
 * @module typed-kafka/opentelemetry
 */

export { openTelemetry, type OpenTelemetryOptions } from "./open-telemetry.js";
export { contextOf } from "./propagation.js";
