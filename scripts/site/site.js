// Runs in the reader's browser.

// Draws the diagrams of a page, in the colours of the reader's theme.
const diagrams = document.querySelectorAll("pre.mermaid");
const source = document.querySelector("[data-mermaid]")?.dataset.mermaid;
if (diagrams.length > 0 && source !== undefined) {
  const script = document.createElement("script");
  script.src = source;
  script.onload = () => {
    const { theme } = document.documentElement.dataset;
    const isDark = theme === "os" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
    window.mermaid.initialize({
      startOnLoad: false,
      theme: isDark ? "dark" : "neutral",
      // The texts on arrows stand out from what is behind them.
      themeVariables: isDark ? { edgeLabelBackground: "#333333" } : {},
    });
    void window.mermaid.run({ nodes: diagrams }).then(() => {
      // A wide one scrolls within its frame before its words get too small to read.
      for (const drawn of document.querySelectorAll("pre.mermaid svg"))
        drawn.style.minWidth = `${drawn.viewBox.baseVal.width * 0.55}px`;
    });
  };
  document.head.append(script);
}

// In TypeDoc's navigation a module is a link within what opens and closes its list: two things to press in one. The link
// becomes the first item of the list.
const navigation = document.querySelector("#tsd-nav-container");
const moveLinks = () => {
  // Whoever comes for the first time sees where to begin.
  if (navigation.querySelector("details[open]") === null)
    navigation.querySelector("details")?.setAttribute("open", "");
  for (const link of navigation.querySelectorAll("summary a")) {
    const list = link.closest("details")?.querySelector("ul");
    if (!list) continue;
    const name = document.createElement("span");
    name.textContent = link.textContent;
    link.replaceWith(name);
    link.textContent = "Overview";
    const item = document.createElement("li");
    item.append(link);
    list.prepend(item);
  }
};
if (navigation !== null) {
  new MutationObserver(moveLinks).observe(navigation, { childList: true, subtree: true });
  moveLinks();
}
