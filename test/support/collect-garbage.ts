import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Frees what nothing refers to, as far as that is done at once. */
export const collectGarbage = runInNewContext("gc") as () => void;
