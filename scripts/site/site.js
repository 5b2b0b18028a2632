// Draws the diagrams of a page, in the colours of the reader's theme. Runs in the reader's browser.
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
    void window.mermaid.run({ nodes: diagrams });
  };
  document.head.append(script);
}
