/** The command line as a process of its own; its arguments are in CLI_ARGS. */
process.argv.splice(2, Infinity, ...(process.env["CLI_ARGS"] ?? "").split(" "));
await import("../../../src/cli/main.js");

export {};
