export const guides: Readonly<Record<string, readonly string[]>>;
export const groups: Readonly<Record<string, readonly string[]>>;
export function groupOf(file: string): string;
