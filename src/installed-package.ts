import { createRequire } from "node:module";
import { join } from "node:path";

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

function bases(): string[] {
  // In CommonJS there is `__filename`, and a bundler may have left `import.meta` without a URL.
  const own: string | undefined = typeof __filename === "string" ? __filename : import.meta.url;
  const program = process.argv[1];
  return [own, program, join(process.cwd(), "package.json")].filter(
    (base): base is string => base !== undefined && base !== "",
  );
}
