import tseslint from "typescript-eslint"

/** What the tests must be able to steer is reached through Effect's services only. */
const timeAndChance = [
  { object: "Date", property: "now", message: "Use effect/Clock, so that a test can steer time." },
  { object: "performance", property: "now", message: "Use effect/Clock, so that a test can steer time." },
  { object: "Math", property: "random", message: "Use effect/Random, so that a test can seed it." }
]
const outside = (name, message) =>
  ["globalThis", "window", "global"].map((object) => ({ object, property: name, message }))
const timers = ["setTimeout", "setInterval", "setImmediate"].map((name) => ({
  name,
  message: "Use Effect.sleep, Effect.timeout or a Schedule."
}))
const noConsole = { name: "console", message: "Use Effect.log; only the CLI and the dashboard print." }

const sources = ["src/**/*.ts"]
/** May use what Node alone has: stores, the compressing codec, programs and what plugin authors test with. */
const onNode = [
  "src/store/**",
  "src/codec/Compression.ts",
  "src/codec/Encryption.ts",
  "src/cli/**",
  "src/dashboard/**",
  "src/testing/**"
]
const programs = ["src/cli/**", "src/dashboard/**"]

const barrels = [
  { name: "effect", message: 'Import the module: import * as Effect from "effect/Effect".' },
  { name: "@effect/platform", message: "Import the module, for instance @effect/platform/FileSystem." },
  { name: "@effect/sql", message: "Import the module, for instance @effect/sql/SqlClient." }
]
const ownName = {
  group: ["effect-larder", "effect-larder/*", "**/index.js"],
  message: "Inside the package import the sibling's file."
}
const nodeOnly = {
  group: ["node:*"],
  message: "The core runs on every runtime: node:* belongs to stores, the compressing codec, the CLI and the dashboard."
}
const noClock = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: "Use effect/Clock, so that a test can steer time."
}

export default tseslint.config(
  { ignores: ["dist/", "coverage/", ".examples/", ".demo/", "node_modules/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.{ts,mts,js,mjs}"],
    extends: [tseslint.configs.base],
    rules: {
      eqeqeq: "error",
      "no-async-promise-executor": "error",
      "no-case-declarations": "error",
      "no-cond-assign": "error",
      "no-constant-binary-expression": "error",
      "no-constant-condition": ["error", { checkLoops: false }],
      "no-dupe-else-if": "error",
      "no-empty": "error",
      "no-fallthrough": "error",
      "no-loss-of-precision": "error",
      "no-misleading-character-class": "error",
      "no-prototype-builtins": "error",
      "no-self-assign": "error",
      "no-sparse-arrays": "error",
      "no-unsafe-finally": "error",
      "no-useless-catch": "error",
      "no-useless-escape": "error",
      "use-isnan": "error",
      "valid-typeof": "error",
      "no-debugger": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-unused-labels": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx", "hack"], location: "start" }],
      "@typescript-eslint/array-type": ["error", { default: "generic" }],
      "@typescript-eslint/ban-ts-comment": ["error", { "ts-expect-error": "allow-with-description" }],
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-require-imports": "error"
    }
  },
  {
    files: ["**/*.{js,mjs}"],
    rules: { "@typescript-eslint/array-type": "off" }
  },
  {
    // An editor loads its extensions as CommonJS.
    files: ["editors/**/*.js"],
    rules: { "@typescript-eslint/no-require-imports": "off" }
  },
  {
    // Type tests ask how inference fares where a user writes `any`.
    files: ["test/types/**/*.ts"],
    rules: { "@typescript-eslint/no-explicit-any": "off" }
  },
  {
    files: sources,
    rules: {
      complexity: ["error", 14],
      "max-depth": ["error", 4],
      "max-lines": ["error", { max: 300, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 100, skipBlankLines: true, skipComments: true }],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
      "no-restricted-globals": ["error", ...timers, noConsole],
      "no-restricted-properties": [
        "error",
        ...timeAndChance,
        ...timers.flatMap(({ message, name }) => outside(name, message)),
        ...outside("console", noConsole.message)
      ],
      "no-restricted-syntax": ["error", noClock],
      "@typescript-eslint/no-restricted-imports": ["error", { paths: barrels, patterns: [ownName, nodeOnly] }]
    }
  },
  {
    files: onNode,
    rules: { "@typescript-eslint/no-restricted-imports": ["error", { paths: barrels, patterns: [ownName] }] }
  },
  {
    files: programs,
    rules: { "no-restricted-globals": ["error", ...timers] }
  },
  {
    // Effect.sleep keeps a process alive; who only cleans up must not.
    files: ["src/internal/idleSleep.ts"],
    rules: { "no-restricted-globals": ["error", noConsole] }
  },
  {
    // The barrels are made of nothing else.
    files: ["src/index.ts", "src/testing/index.ts"],
    rules: { "@typescript-eslint/no-restricted-imports": "off" }
  },
  {
    // A test that sleeps or retries hides a race; one left alone hides all the others.
    files: ["test/**/*.ts"],
    rules: {
      "no-sparse-arrays": "off",
      "no-restricted-properties": [
        "error",
        ...["describe", "it", "test"].flatMap((object) => [
          { object, property: "only", message: "Left from debugging: it silences every other test." }
        ])
      ]
    }
  }
)
