export interface Promised {
  readonly promise: string;
  readonly where: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
  readonly proves: string;
}
export function guaranteeRows(promises: readonly Promised[]): readonly string[];
