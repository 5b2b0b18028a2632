// Checks the links of the built site.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * What the pages below a folder link to and what is not there, pages, files and headings; addresses elsewhere are not
 * looked at.
 *
 * @param {string} directory
 * @returns {readonly string[]} a sentence for each
 */
export function brokenLinks(directory) {
  const names = readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith(".html"));
  const pages = new Map(
    names.map((name) => [join(directory, String(name)), partsOf(join(directory, String(name)))]),
  );
  return [...pages].flatMap(([page, { links }]) =>
    [...links].flatMap((link) => {
      const [path = "", anchor] = link.split("#").map(decodeURIComponent);
      const target = path === "" ? page : join(dirname(page), path);
      const isThere =
        existsSync(target) && (anchor === undefined || pages.get(target)?.ids.has(anchor) !== false);
      return isThere ? [] : [`${relative(directory, page)}: ${link} is not there`];
    }),
  );
}

function partsOf(page) {
  const html = readFileSync(page, "utf8");
  const all = (pattern) =>
    new Set([...html.matchAll(pattern)].map(([, text = ""]) => text.replaceAll("&amp;", "&")));
  return {
    ids: all(/\sid="([^"]+)"/g),
    links: all(/\s(?:href|src)="((?![a-z]+:|\/\/|#")[^"]+)"/g),
  };
}
