// What the documentation site has beyond TypeDoc's own: the guides in reading order under headings, the API in groups,
// diagrams that are drawn, headings that keep their code words, and wide things that scroll by themselves.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, CommentTag, Converter, JSX, PageEvent, RendererEvent } from "typedoc";
import { groupOf, guides } from "./contents.mjs";
import { brokenLinks } from "./links.mjs";

const mermaid = fileURLToPath(import.meta.resolve("mermaid/dist/mermaid.min.js"));

/** Pages that TypeDoc gives the title of the whole site. */
const titles = { "hierarchy.html": "Class hierarchy | ", "modules.html": "Modules | " };

/** The guides in their order, with their titles. */
const pages = Object.entries(guides).flatMap(([heading, names]) =>
  names.map((name) => {
    const path = `docs/${name}.md`;
    const title = /^(?:title:|#) (.+)$/m.exec(readFileSync(path, "utf8"))?.[1] ?? name;
    return { path, name, title, heading };
  }),
);

/** @param {Application} app */
export function load(app) {
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue(
      "projectDocuments",
      pages.map(({ path }) => path),
    );
    app.options.setValue("markdownItLoader", changeMarkdown);
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const document of project.documents ?? []) {
      const guide = pages.find(({ name, title }) => document.name === name || document.name === title);
      if (guide === undefined) throw new Error(`${document.name} is no guide of scripts/site/contents.mjs`);
      document.name = guide.title;
      document.frontmatter.group = guide.heading;
      // Who searches is told how a thing is done before every name that mentions it.
      document.relevanceBoost = 10;
    }
    const [main] = (project.children ?? []).filter(({ name }) => name === "typed-kafka");
    for (const child of main?.children ?? []) {
      const file = project.getSymbolIdFromReflection(child)?.packagePath;
      const tag = new CommentTag("@group", [{ kind: "text", text: groupOf(file ?? "") }]);
      const commented = child.comment === undefined ? child.signatures : [child];
      for (const { comment } of commented ?? []) comment?.blockTags.push(tag.clone());
    }
  });
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = accessible(page.contents ?? "", page.url);
  });
  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    copyFileSync(mermaid, join(outputDirectory, "assets", "mermaid.js"));
    for (const broken of brokenLinks(outputDirectory)) app.logger.error(broken);
  });
  app.renderer.hooks.on("body.end", (context) => {
    const source = context.relativeURL("assets/mermaid.js");
    return JSX.createElement("span", { hidden: true, "data-mermaid": source });
  });
}

/** Names the parts of a page, gives its headings their order, and each page a title of its own. */
function accessible(html, url) {
  return (
    html
      .replace("<title>", `<title>${titles[url] ?? ""}`)
      .replace('<div class="col-content"', '<div role="main" class="col-content"')
      .replace(
        '<div class="col-sidebar"',
        '<div role="complementary" aria-label="Contents" class="col-sidebar"',
      )
      .replaceAll(/(<section class="tsd-panel[^>]*>\n?)<h4/g, '$1<h4 aria-level="2"')
      .replaceAll('<h5 class="tsd-index-heading', '<h5 aria-level="2" class="tsd-index-heading')
      // A heading that opens and closes what is below it has no link within it: two things to press in one.
      .replaceAll(/<summary(?:(?!<\/summary>).)*<\/summary>/gs, (summary) =>
        summary.replaceAll(/<a [^>]*class="tsd-anchor-icon">.*?<\/a>/gs, ""),
      )
  );
}

/** `parser` is the markdown-it of TypeDoc. */
function changeMarkdown(parser) {
  // Slugs and the list of headings are made from texts alone: code becomes text between marks of HTML.
  parser.core.ruler.push("code-in-headings", ({ tokens, Token }) => {
    for (const [index, token] of tokens.entries()) {
      if (tokens[index - 1]?.type !== "heading_open" || token.children === null) continue;
      token.children = token.children.flatMap((child) => {
        if (child.type !== "code_inline") return [child];
        const [open, text, close] = ["html_inline", "text", "html_inline"].map(
          (type) => new Token(type, "", 0),
        );
        open.content = "<code>";
        text.content = child.content;
        close.content = "</code>";
        return [open, text, close];
      });
    }
  });
  // Numbered, because regions of a page need names of their own.
  const regionOf = (what, tokens, index, isSame) =>
    `tabindex="0" role="region" aria-label="${what} ${tokens.slice(0, index + 1).filter(isSame).length}"`;
  const isFence = (language) => (token) => token.info.trim() === language;
  const { fence } = parser.renderer.rules;
  parser.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() === "mermaid")
      return `<pre class="mermaid" ${regionOf("Diagram", tokens, index, isFence("mermaid"))}>${parser.utils.escapeHtml(content)}</pre>`;
    const html = fence(tokens, index, ...rest);
    return info.trim() === "text"
      ? `<div class="diagram" ${regionOf("Output", tokens, index, isFence("text"))}>${html}</div>`
      : html;
  };
  parser.renderer.rules.table_open = (tokens, index) =>
    `<div class="wide" ${regionOf("Table", tokens, index, ({ type }) => type === "table_open")}><table>`;
  parser.renderer.rules.table_close = () => "</table></div>";
}
