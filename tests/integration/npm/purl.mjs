// Package URLs on stdin, one a line, as npm's packageurl-js reads them: a line of JSON each.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
const { PackageURL } = require("packageurl-js");
for (const line of fs.readFileSync(0, "utf8").trim().split("\n")) {
  const { type, namespace, name, version, qualifiers } = PackageURL.fromString(line);
  console.log(JSON.stringify({ type, namespace, name, version, qualifiers }));
}
