const { join } = require("node:path");

module.exports = {
  mode: "production",
  target: "node",
  entry: "./students.ts",
  module: { rules: [{ test: /\.ts$/, use: "ts-loader" }] },
  output: { path: join(__dirname, "bundles"), filename: "students.js" },
  // A native addon cannot be bundled: it stays in node_modules, beside the bundle.
  externals: { "@confluentinc/kafka-javascript": "commonjs @confluentinc/kafka-javascript" },
};
