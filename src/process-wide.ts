/**
 * State that all copies of this library in a process have in common: there are two where a program loads the ES
 * modules and the CommonJS files.
 *
 * @param name - the same in every copy, and for as long as the state has the same shape
 */
export function processWide<State>(name: string, make: () => State): State {
  const key = Symbol.for(`typed-kafka.${name}`);
  const states = globalThis as { [key: symbol]: unknown };
  return (states[key] ??= make()) as State;
}
