import { arrayOf, type ZodCheck, type ZodDef } from "./zod-structure.js";

/** Whether functions of the user look at the value of a schema, and may see that a property is not there. */
export function isGuarded(def: ZodDef): boolean {
  return checksOf(def).some(
    ({ _zod }) => _zod.def?.["check"] === "custom" || _zod.def?.["check"] === "property",
  );
}

/** Whether a check of a schema may give another value than it is given. */
export function changes(def: ZodDef): boolean {
  return checksOf(def).some(({ _zod }) => {
    const kind = _zod.def?.["check"];
    return kind === "overwrite" || (kind === "custom" && _zod.def?.["fn"] === undefined && isPlainValue(def));
  });
}

function checksOf(def: ZodDef): readonly ZodCheck[] {
  return arrayOf(def["checks"]) as readonly ZodCheck[];
}

/** Whether the values of a schema are not copied by it, so that a changed one is seen. */
function isPlainValue({ type }: ZodDef): boolean {
  return type === "string" || type === "number" || type === "boolean" || type === "enum";
}
