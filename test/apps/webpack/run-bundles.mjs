// The bundles run elsewhere, where the native client alone is installed.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const elsewhere = mkdtempSync(join(tmpdir(), "bundles-"));
try {
  cpSync("bundles", elsewhere, { recursive: true });
  for (const name of ["@confluentinc", "bindings", "file-uri-to-path"]) {
    cpSync(join("node_modules", name), join(elsewhere, "node_modules", name), { recursive: true });
  }
  for (const bundle of readdirSync("bundles")) {
    for (const cwd of [elsewhere, tmpdir()]) {
      execFileSync(process.execPath, [join(elsewhere, bundle)], { cwd, stdio: "inherit" });
    }
  }
  rmSync(join(elsewhere, "node_modules"), { recursive: true });
  for (const bundle of readdirSync("bundles")) {
    try {
      execFileSync(process.execPath, [join(elsewhere, bundle)], { cwd: elsewhere, stdio: "pipe" });
    } catch (error) {
      if (error.stderr.toString().includes("Where this program is bundled, make it external")) continue;
      throw error;
    }
    throw new Error(`${bundle} runs without the native client`);
  }
} finally {
  rmSync(elsewhere, { recursive: true, force: true });
}
