/**
 * The arrows of the architecture. A lower layer may not even reach a higher one through others, types included:
 *
 *     eviction | codec | CacheKey, CacheEntry, CacheError  ->  CacheStore  ->  store/*
 *     CacheStore  ->  Cache, Cached, CacheContext  ->  http, integration, cli, dashboard, testing
 */
const engines = "^src/store/"
const outer = "^src/(http|integration|resource|cli|dashboard|testing)/"
const caches = "^src/(Cache|Cached|CacheContext|CacheAdmin)\\.ts$|^src/internal/cache/"
const nodeAllowed = "^src/(store|cli|dashboard|testing)/|^src/codec/(Compression|Encryption)\\.ts$"
const sqlEngines = "^src/(store/(SqliteStore\\.ts|sqlite/|PostgresStore\\.ts|postgres/)|integration/)"

export default {
  forbidden: [
    {
      name: "no-circles",
      comment:
        "Two files that need each other are one file, or three. A public module and its internals may share types: " +
        "type-only imports are gone at run time and do not count.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } }
    },
    {
      name: "eviction-knows-nobody",
      comment: "Pure data structures: no Effect, no sibling room.",
      severity: "error",
      from: { path: "^src/eviction/" },
      to: { pathNot: "^src/eviction/" }
    },
    {
      name: "codec-knows-values-only",
      comment: "A codec turns entries into bytes; it knows what an entry and an error are, and nothing above.",
      severity: "error",
      from: { path: "^src/codec/" },
      to: { path: "^src/", pathNot: "^src/(codec/|CacheEntry\\.ts|CacheError\\.ts|internal/[^/]+\\.ts)" }
    },
    {
      name: "values-know-nobody",
      comment: "Keys, entries, errors and codecs are what stores and caches speak in; they reach neither.",
      severity: "error",
      from: { path: "^src/(CacheKey|CacheEntry|CacheError)\\.ts$|^src/codec/" },
      to: {
        path: `^src/CacheStore/|^src/(CacheStore|CacheConfig|CachePolicy|CacheResult)\\.ts$|${caches}|${engines}|^src/observe/|${outer}`,
        reachable: true
      }
    },
    {
      name: "contract-knows-no-cache",
      comment: "CacheStore is the contract of engines and the combinators over it; caches stand on it, not under it.",
      severity: "error",
      from: { path: "^src/CacheStore(\\.ts$|/)" },
      to: { path: `${caches}|${engines}|${outer}`, reachable: true }
    },
    {
      name: "engines-know-no-cache",
      comment: "An engine stores entries; what a cache is must not matter to it.",
      severity: "error",
      from: { path: engines },
      to: { path: `${caches}|${outer}`, reachable: true }
    },
    {
      name: "engines-stand-alone",
      comment: "One engine never needs another: falling back is composing Layers.",
      severity: "error",
      from: { path: "^src/store/([A-Z]\\w*)Store\\.ts$" },
      to: { path: "^src/store/[A-Z]\\w*Store\\.ts$", pathNot: "^src/store/$1Store\\.ts$" }
    },
    {
      name: "no-particular-engine",
      comment: "Which engine keeps the entries is the program's choice of Layer, never the core's.",
      severity: "error",
      from: { path: "^src/", pathNot: `${engines}|${outer}|^src/index\\.ts$` },
      to: { path: engines }
    },
    {
      name: "core-knows-no-outer-room",
      comment: "http, integration, cli, dashboard and testing stand on the core.",
      severity: "error",
      from: { path: "^src/", pathNot: `${outer}|^src/index\\.ts$` },
      to: { path: outer }
    },
    {
      name: "core-without-node",
      comment: "The core runs on Bun, Deno, the edge and in browsers.",
      severity: "error",
      from: { path: "^src/", pathNot: nodeAllowed },
      to: { dependencyTypes: ["core"] }
    },
    {
      name: "sql-in-its-engines",
      comment: "An optional peer is reached only by the module whose subpath it belongs to.",
      severity: "error",
      from: { path: "^src/", pathNot: sqlEngines },
      to: { path: "(^|/)@effect/sql(-|/|$)" }
    },
    {
      name: "opentelemetry-in-its-module",
      comment: "An optional peer is reached only by the module whose subpath it belongs to.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/observe/OpenTelemetry\\.ts$" },
      to: { path: "(^|/)(@opentelemetry/|@effect/opentelemetry)" }
    },
    {
      name: "no-whole-node-platform",
      comment: "@effect/platform-node drags in cluster, rpc and sql: programs only, by subpath.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli|dashboard)/" },
      to: { path: "(^|/)@effect/platform-node" }
    },
    {
      name: "no-development-dependency",
      comment: "What is not a dependency or a peer is not there when a user imports the package.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-peer", "npm-optional", "type-only"] }
    },
    {
      name: "declared",
      comment: "Every import is in package.json.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "undetermined"], dependencyTypesNot: ["npm-peer"] }
    },
    {
      name: "resolvable",
      comment: "Every import leads somewhere.",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true }
    },
    {
      name: "sources-alone",
      comment: "What is published needs nothing that is not.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|examples|scripts|docs)/" }
    },
    {
      name: "not-the-barrel",
      comment: "Siblings import each other's files; the barrel is for users.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/(testing/)?index\\.ts$" }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // runs in a browser, as it is served: by urls
    exclude: { path: "^src/dashboard/page/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["types", "import", "node", "default"] }
  }
}
