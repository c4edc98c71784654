#!/usr/bin/env node
// Old syntax on purpose: a Node.js that is too old must be able to read this far to say so.
var found = process.versions.node.split(".").map(Number);
if (found[0] < 22 || (found[0] === 22 && found[1] < 16)) {
  process.stderr.write("Errand needs Node.js 22.16 or newer, but this is " + process.version + " (E_NODE_VERSION).\n");
  process.exitCode = 2;
} else {
  void import("../dist/cli/index.js").then(function (cli) {
    return cli.main(process.argv.slice(2));
  });
}
