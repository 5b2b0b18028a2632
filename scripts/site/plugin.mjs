// What the documentation site has beyond TypeDoc's own: the guides in reading order under headings, the API in groups,
// diagrams that are drawn, headings that keep their code words, and wide things that scroll by themselves.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, CommentTag, Converter, JSX, RendererEvent } from "typedoc";
import { groupOf, guides } from "./contents.mjs";

const mermaid = fileURLToPath(import.meta.resolve("mermaid/dist/mermaid.min.js"));

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
    }
    const [main] = (project.children ?? []).filter(({ name }) => name === "typed-kafka");
    for (const child of main?.children ?? []) {
      const file = project.getSymbolIdFromReflection(child)?.packagePath;
      const tag = new CommentTag("@group", [{ kind: "text", text: groupOf(file ?? "") }]);
      const commented = child.comment === undefined ? child.signatures : [child];
      for (const { comment } of commented ?? []) comment?.blockTags.push(tag.clone());
    }
  });
  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    copyFileSync(mermaid, join(outputDirectory, "assets", "mermaid.js"));
  });
  app.renderer.hooks.on("body.end", (context) => {
    const source = context.relativeURL("assets/mermaid.js");
    return JSX.createElement("span", { hidden: true, "data-mermaid": source });
  });
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
  const { fence } = parser.renderer.rules;
  parser.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() === "mermaid") return `<pre class="mermaid">${parser.utils.escapeHtml(content)}</pre>`;
    const html = fence(tokens, index, ...rest);
    return info.trim() === "text"
      ? `<div class="diagram" tabindex="0" role="region" aria-label="Diagram">${html}</div>`
      : html;
  };
  parser.renderer.rules.table_open = () =>
    '<div class="wide" tabindex="0" role="region" aria-label="Table"><table>';
  parser.renderer.rules.table_close = () => "</table></div>";
}
