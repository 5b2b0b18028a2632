import { ConfigError } from "../errors.js";
import { requireInstalled } from "../installed-package.js";

/** A moment of a database. */
export interface LevelSnapshot {
  readonly close: () => Promise<void>;
}

/** Changes that are made together, or not at all. */
interface LevelBatch {
  readonly put: (key: Buffer, value: Buffer) => unknown;
  readonly del: (key: Buffer) => unknown;
  readonly write: () => Promise<void>;
}

interface Range {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

/** What is used of a database of `classic-level`. */
export interface LevelDatabase {
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly getSync: (key: Buffer, options?: { readonly snapshot: LevelSnapshot }) => Buffer | undefined;
  readonly snapshot: () => LevelSnapshot;
  /** One operation after the other: that takes less time than an array of them. */
  readonly batch: () => LevelBatch;
  readonly put: (key: Buffer, value: Buffer) => Promise<void>;
  readonly del: (key: Buffer) => Promise<void>;
  readonly clear: (range: Range) => Promise<void>;
  /** Gives the disk back what was cleared. */
  readonly compactRange: (from: Buffer, before: Buffer) => Promise<void>;
  readonly iterator: (range: Range) => {
    readonly nextv: (count: number) => Promise<readonly (readonly [key: Buffer, value: Buffer])[]>;
    readonly close: () => Promise<void>;
  };
}

interface LevelPackage {
  readonly ClassicLevel: new (
    path: string,
    options: {
      readonly keyEncoding: "buffer";
      readonly valueEncoding: "buffer";
      readonly writeBufferSize: number;
    },
  ) => LevelDatabase;
}

/** What is written is sorted in memory first, twice as much at most: a restore takes less time with more of it. */
const writeBufferSize = 16 * 1024 * 1024;

/** A database in this directory, not yet open. */
export function levelDatabase(path: string): LevelDatabase {
  const { ClassicLevel } = loadLevel();
  return new ClassicLevel(path, { keyEncoding: "buffer", valueEncoding: "buffer", writeBufferSize });
}

/** @throws `ConfigError` where the package is not installed */
export function loadLevel(): LevelPackage {
  try {
    return requireInstalled("classic-level") as LevelPackage;
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      "code" in error &&
      error.code === "MODULE_NOT_FOUND" &&
      error.message.includes("classic-level");
    if (!isMissing) throw error;
    throw new ConfigError(
      "stateDirectory",
      "needs the package classic-level, which is not installed: npm install classic-level",
      { cause: error },
    );
  }
}
