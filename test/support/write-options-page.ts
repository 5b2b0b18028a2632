/** Writes docs/options.md anew: `npm run docs:options`. */
import { writeFileSync } from "node:fs";
import { optionsPage, optionsPageFile } from "./options-page.js";

writeFileSync(optionsPageFile, await optionsPage());
console.log(`wrote ${optionsPageFile}`);
