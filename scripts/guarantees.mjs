/** The table of docs/guarantees.md: the promises of test/mutants/promises.json. */
export function guaranteeRows(promises) {
  return [
    "| promise | where | the test that proves it | the mutant that breaks it |",
    "| --- | --- | --- | --- |",
    ...promises.map(({ promise, where, tests: [test], proves, file, find, replace }) => {
      const mutant = replace.trim() === "" ? `without ${code(find)}` : `${code(replace)} for ${code(find)}`;
      return `| ${promise} | ${where} | \`${test}\`: ${plain(proves)} | \`${file}\`: ${mutant} |`;
    }),
  ];
}

/** Code in a table: on one line, with the signs kept that a table or a span of code would end at. */
function code(text) {
  const line = text.trim().replace(/\s+/g, " ").replaceAll("|", "\\|");
  return line.includes("`") ? `\`\`${line}\`\`` : `\`${line}\``;
}

function plain(text) {
  return text.replace(/[<>|*_]/g, (sign) => `\\${sign}`);
}
