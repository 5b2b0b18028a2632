import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../errors.js";
import type { Logger } from "../logger.js";
import { Turns } from "../waiting.js";
import { DiskPiece, rangeOf, type SharedByPieces } from "./disk-piece.js";
import { levelDatabase, type LevelDatabase } from "./level.js";

/** Of how entries are written. A directory of another version is made anew. */
const version = 2;
const aboutName = Buffer.from("about");
const noId = "";
/** For how long a piece that is not in use is kept, in milliseconds. Kafka Streams: `state.cleanup.delay.ms`. */
const unusedKeptMs = 600_000;
/** How long changes of all pieces are made without a break, in milliseconds. */
const turnMs = 10;
/** How many slots of entries all pieces remember together: some 100 bytes each. */
const maxKnownSlots = 200_000;
/** Behind all names. */
const endOfNames = Buffer.of(0xff);

interface About {
  readonly version: number;
  readonly groupId: string;
}

/** What has the names of one piece. */
interface PieceName {
  readonly name: string;
  readonly store: string;
  readonly partition: number;
}

/** The stores of one processor on disk: one database, which one process has open at a time. */
export class StateDirectory {
  readonly #database: LevelDatabase;
  readonly #pieces = new Map<string, DiskPiece>();
  readonly #shared: SharedByPieces;
  #changelogs: ReadonlyMap<string, string> = new Map();
  /** Since when pieces have not been in use. */
  readonly #unusedSince = new Map<string, number>();

  private constructor(database: LevelDatabase) {
    this.#database = database;
    this.#shared = {
      database,
      turns: new Turns(turnMs),
      maxKnownSlots: () => maxKnownSlots / this.#pieces.size,
    };
  }

  /**
   * Opens the directory, and makes it where it is missing. One that is broken, or of another version, is put aside.
   * @throws `ConfigError` where it is in use, of another group, or cannot be used
   */
  static async open(path: string, groupId: string, logger: Logger): Promise<StateDirectory> {
    const folder = join(path, "stores");
    await makeDirectory(path, folder);
    for (let isAgain = false; ; isAgain = true) {
      const database = await openDatabase(path, folder);
      if (database !== undefined && (await isUsable(database, path, groupId)))
        return new StateDirectory(database);
      await database?.close();
      if (isAgain)
        throw new ConfigError("stateDirectory", `${path} cannot be read, and could not be made anew`);
      const aside = `${folder}-${new Date().toISOString().replace(/[^0-9]/gu, "")}`;
      await rename(folder, aside);
      logger.warn("the stores on disk are damaged, or of another version: they are put aside and restored", {
        groupId,
        from: folder,
        to: aside,
      });
    }
  }

  /** The ids of the changelogs, by store: what is here of a changelog with another id counts for nothing. */
  async belongsTo(changelogs: ReadonlyMap<string, string | undefined>): Promise<void> {
    const known = new Map([...changelogs].map(([store, id]) => [store, id ?? noId]));
    if ([...known].some(([store, id]) => this.#changelogs.get(store) !== id)) {
      // What is on its way to the disk must not land on what comes after it.
      await this.#written();
      this.#pieces.clear();
    }
    this.#changelogs = known;
  }

  /** The piece of a store, the same object at each call: what is on its way to the disk is there before what comes next. */
  piece(store: string, partition: number): DiskPiece {
    const name = `${store}/${partition}`;
    let piece = this.#pieces.get(name);
    if (piece === undefined) {
      piece = new DiskPiece(this.#shared, store, partition, this.#changelogs.get(store) ?? noId);
      this.#pieces.set(name, piece);
    }
    return piece;
  }

  /**
   * Removes the pieces that have not been in use for a while, and of stores that there are no more.
   *
   * @param inUse - whether this member has the piece now
   * @param now - in milliseconds of any clock
   */
  async removeUnused(inUse: (store: string, partition: number) => boolean, now: number): Promise<void> {
    for (const { name, store, partition } of await this.#onDisk()) {
      if (inUse(store, partition)) {
        this.#unusedSince.delete(name);
        continue;
      }
      const since = this.#unusedSince.get(name) ?? now;
      this.#unusedSince.set(name, since);
      if (now - since < unusedKeptMs) continue;
      // By its piece: it may be assigned again meanwhile.
      await this.piece(store, partition).clear();
      this.#unusedSince.delete(name);
      await this.#database.compactRange(...rangeOf(name));
    }
  }

  /** Writes what is on its way, and lets the directory go. */
  async close(): Promise<void> {
    await this.#written();
    await this.#database.close();
  }

  async #written(): Promise<void> {
    await Promise.allSettled([...this.#pieces.values()].map((piece) => piece.close()));
  }

  /** The pieces that have something on disk: looks at the first name of each. */
  async #onDisk(): Promise<readonly PieceName[]> {
    const found: PieceName[] = [];
    let gte: Buffer = Buffer.alloc(0);
    for (;;) {
      const iterator = this.#database.iterator({ gte, lt: endOfNames });
      const [first] = await iterator.nextv(1);
      await iterator.close();
      if (first === undefined) return found;
      const [, name = "", store = "", partition = ""] =
        /^(([^/]+)\/(\d+))\//u.exec(first[0].toString("latin1")) ?? [];
      if (name === "") gte = Buffer.concat([first[0], Buffer.of(0)]);
      else {
        found.push({ name, store, partition: Number(partition) });
        gte = rangeOf(name)[1];
      }
    }
  }
}

async function makeDirectory(path: string, folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new ConfigError("stateDirectory", `${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
}

/** `undefined` where it is broken. */
async function openDatabase(path: string, folder: string): Promise<LevelDatabase | undefined> {
  const database = levelDatabase(folder);
  try {
    await database.open();
    return database;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "LEVEL_CORRUPTION") return undefined;
    if (code === "LEVEL_LOCKED")
      throw new ConfigError(
        "stateDirectory",
        `${path} is in use by another processor or process: give each a directory of its own, and let the one before end first`,
        { cause: error },
      );
    throw new ConfigError("stateDirectory", `${path} cannot be used: ${messageOf(cause ?? error)}`, {
      cause: error,
    });
  }
}

/** Whether it is new, or was made by this version for this group. */
async function isUsable(database: LevelDatabase, path: string, groupId: string): Promise<boolean> {
  const about = aboutOf(database);
  if (about === undefined) {
    const value = Buffer.from(JSON.stringify({ version, groupId } satisfies About));
    await database.put(aboutName, value);
    return true;
  }
  if (about.version !== version) return false;
  if (about.groupId === groupId) return true;
  await database.close();
  throw new ConfigError(
    "stateDirectory",
    `${path} has the stores of the group ${about.groupId}: give ${groupId} a directory of its own, or remove this one where that group is no more`,
  );
}

function aboutOf(database: LevelDatabase): About | undefined {
  const bytes = database.getSync(aboutName);
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as About);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
