/**
 * Lets `instanceof` hold for what another copy of this library made: a process may load the ES modules and the
 * CommonJS files, or a test runner the same file twice. Subclasses that users make are told apart as ever.
 */
export function identifyAcrossCopies(
  classes: Readonly<Record<string, { readonly prototype: object }>>,
): void {
  for (const [name, Class] of Object.entries(classes)) {
    const mark = Symbol.for(`typed-kafka.${name}`);
    Object.defineProperty(Class.prototype, mark, { value: true });
    Object.defineProperty(Class, Symbol.hasInstance, {
      value(this: unknown, candidate: unknown): boolean {
        if (this !== Class) return isInstance(this, candidate);
        return typeof candidate === "object" && candidate !== null && mark in candidate;
      },
    });
  }
}

/** What `instanceof` does for a class that says nothing about it. */
function isInstance(Class: unknown, candidate: unknown): boolean {
  return Function.prototype[Symbol.hasInstance].call(Class as () => void, candidate);
}
