export declare const entryPoints: readonly {
  readonly name: string;
  readonly path: string;
  readonly source: string;
}[];
