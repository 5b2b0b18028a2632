import { bounded } from "./header-block.js";

const maxNameBytes = 200;
const maxMessageBytes = 2_000;

/** What the headers say of an error: bounded, whatever was thrown. */
export function errorFields(error: unknown): readonly (readonly [string, string])[] {
  const { name, message, code } = describeError(error);
  const fields: (readonly [string, string])[] = [
    ["error-name", bounded(name, maxNameBytes)],
    ["error-message", bounded(message, maxMessageBytes)],
  ];
  if (code !== undefined) fields.push(["error-code", bounded(code, maxNameBytes)]);
  return fields;
}

/** The texts of an error, whatever was thrown: reading its properties may throw, and they may be no texts. */
export function describeError(error: unknown): {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
} {
  try {
    if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
    const { name, message, code }: { name: unknown; message: unknown; code?: unknown } = error;
    return {
      name: String(name),
      message: String(message),
      ...(typeof code === "string" || typeof code === "number" ? { code: String(code) } : {}),
    };
  } catch {
    return { name: "unknown", message: "what was thrown cannot be read" };
  }
}
