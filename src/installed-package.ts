import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Loads a package that is installed beside this library, when it is needed and not before. A bundler does not see
 * the call, so that the package stays outside of the bundle.
 *
 * Where this library was bundled, its own path may be that of the machine that made the bundle: then the package is
 * looked up from the program that runs, and from the working directory.
 *
 * @throws what Node.js throws, with the code `MODULE_NOT_FOUND` where the package is nowhere
 */
export function requireInstalled(path: string): unknown {
  let notFound: unknown;
  for (const base of bases()) {
    const require = createRequire(base);
    let file: string;
    try {
      file = require.resolve(path);
    } catch (error) {
      notFound ??= error;
      continue;
    }
    return require(file);
  }
  throw notFound;
}

/**
 * Where this module is, as far as it knows: in CommonJS there is `__filename` and no `import.meta`, a bundler may have left
 * either without a meaning, and `node --eval` has a `__filename` that is no path.
 */
export function ownFiles(): readonly string[] {
  const url = import.meta.url as string | undefined;
  const files = [url?.startsWith("file:") === true ? fileURLToPath(url) : undefined];
  if (typeof __filename === "string") files.push(__filename);
  return files.filter((file) => file !== undefined && isAbsolute(file)) as string[];
}

function bases(): string[] {
  const program = process.argv[1] ?? "";
  return [...ownFiles(), ...(isAbsolute(program) ? [program] : []), join(process.cwd(), "package.json")];
}
