/** What to run Node.js with for a TypeScript file in a process of its own, where `typed-kafka` is src/. */
export function programArguments(file: string, ...args: readonly string[]): string[] {
  return ["--conditions=typed-kafka-source", "--import", "tsx", file, ...args];
}
