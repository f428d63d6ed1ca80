/**
 * The files of examples/docker against the code that they are for: no engine for containers is needed. What an image would start
 * is started as a process, looked at as a probe would, and told to stop as an orchestrator would.
 */
import { assert, describe, it } from "@effect/vitest"
import * as CacheRoutes from "effect-larder/CacheRoutes"
import { Chunk, Data, Deferred, Effect, Fiber, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parse, parseAllDocuments } from "yaml"
import { settings } from "../../src/internal/configFields.js"
import * as Redis from "../fixtures/servers/redis.js"
import { freePort } from "../fixtures/servers/process.js"
import { folder } from "../fixtures/sqlite/common.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (file: string): string => fs.readFileSync(join(root, file), "utf8")
const program = "examples/docker/main.ts"

/** The names that an environment may have: those of settings and logs, those that the program reads, and the S3 driver's. */
const variables = new Set([
  ...Object.values(settings).map(({ variable }) => variable),
  ...[read("src/observe/CacheLog.ts"), read(program)].flatMap((text) =>
    Array.from(text.matchAll(/Config\.\w+\("([A-Z_]+)"\)/g), ([, name]) => name)
  ),
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY"
])
const areKnown = (names: ReadonlyArray<string>) => {
  assert.isNotEmpty(names)
  for (const name of names) assert.isTrue(variables.has(name), `nobody reads ${name}`)
}

const paths = Chunk.toReadonlyArray(CacheRoutes.make().routes).map(({ path }) => path)
const isRoute = (path: string | undefined) => assert.include(paths, path as (typeof paths)[number])

const schemes = Array.from(
  /const engines: .* = \{([^]*?)\n\}/.exec(read(program))?.[1]?.matchAll(/^ {2}(\w+): \(/gm) ?? [],
  ([, scheme]) => scheme
)
const hasEngine = (url: string) => assert.include(schemes, url.split(":")[0])

interface Service {
  readonly mem_limit?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: ReadonlyArray<string>
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly stop_grace_period?: string
}

describe("compose.yaml", () => {
  const text = read("examples/docker/compose.yaml")
  const { services, volumes } = parse(text) as {
    readonly services: Readonly<Record<string, Service>>
    readonly volumes: object
  }
  const app = services["app"]!

  it("has each server that a store can be kept on, each with a limit of its memory", () => {
    assert.sameMembers(Object.keys(services), ["app", "redis", "memcached", "postgres", "s3"])
    for (const [name, { mem_limit }] of Object.entries(services)) assert.match(mem_limit ?? "", /^\d+m$/, name)
    assert.sameMembers(
      Object.keys(app.depends_on ?? {}),
      Object.keys(services).filter((name) => name !== "app")
    )
  })

  it("tells the program what it listens to, with urls of engines that it has", () => {
    areKnown(Object.keys(app.environment ?? {}))
    const urls = text.match(/\b(?:redis|memcached|postgres|s3|sqlite):(?:\/\/[^\s,}]+)?/g) ?? []
    for (const server of Object.keys(app.depends_on ?? {})) {
      const found = urls.filter((url) => new RegExp(`//([^/]*@)?${server}[:/]|http://${server}:`).test(url))
      assert.isNotEmpty(found, server)
      found.forEach(hasEngine)
    }
  })

  it("mounts volumes that there are, and waits long enough for the program to end", () => {
    for (const { volumes: mounted = [] } of Object.values(services)) {
      for (const one of mounted) assert.property(volumes, one.split(":")[0]!)
    }
    assert.isAbove(Number.parseInt(app.stop_grace_period ?? "0", 10), 5)
  })
})

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec?: Deployment
}
interface Deployment {
  readonly template: {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>>; readonly labels: object }
    readonly spec: {
      readonly terminationGracePeriodSeconds: number
      readonly volumes: ReadonlyArray<{ readonly name: string }>
      readonly containers: ReadonlyArray<{
        readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>
        readonly envFrom: ReadonlyArray<Readonly<Record<string, { readonly name: string }>>>
        readonly resources: {
          readonly limits: { readonly memory: string }
          readonly requests: { readonly memory: string }
        }
        readonly startupProbe: Probe
        readonly livenessProbe: Probe
        readonly readinessProbe: Probe
        readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: ReadonlyArray<string> } } }
        readonly volumeMounts: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>
      }>
    }
  }
}

describe("kubernetes.yaml", () => {
  const documents = parseAllDocuments(read("examples/docker/kubernetes.yaml"))
  const manifests = documents.map((document) => document.toJS() as Manifest)
  const of = (kind: string) => manifests.filter((one) => one.kind === kind)
  const { spec } = of("Deployment")[0]!.spec!.template
  const { metadata } = of("Deployment")[0]!.spec!.template
  const container = spec.containers[0]!
  const data = of("ConfigMap")[0]!.data!

  it("is YAML, and what it names is there", () => {
    assert.deepStrictEqual(
      documents.flatMap(({ errors }) => errors),
      []
    )
    assert.deepStrictEqual(
      manifests.map(({ kind }) => kind),
      ["ConfigMap", "Secret", "Deployment", "Service"]
    )
    for (const reference of container.envFrom) {
      const [[kind, { name }]] = Object.entries(reference) as [[string, { name: string }]]
      const wanted = kind === "configMapRef" ? "ConfigMap" : "Secret"
      assert.isTrue(of(wanted).some((one) => one.metadata.name === name))
    }
    areKnown(Object.keys(data))
    areKnown(Object.keys(of("Secret")[0]!.stringData!))
    hasEngine(of("Secret")[0]!.stringData!["STORE_URL"]!)
  })

  it("probes what the program answers, and never kills it because its store is down", () => {
    for (const { httpGet } of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      isRoute(httpGet.path)
      assert.isTrue(container.ports.some(({ name }) => name === httpGet.port))
    }
    assert.deepStrictEqual(
      [container.livenessProbe.httpGet.path, container.readinessProbe.httpGet.path],
      ["/healthz", "/readyz"]
    )
    isRoute(metadata.annotations["prometheus.io/path"])
    assert.strictEqual(metadata.annotations["prometheus.io/port"], String(container.ports[0]!.containerPort))
  })

  it("limits memory, gives it time to stop, and a folder for the caches' files", () => {
    assert.match(container.resources.limits.memory, /^\d+Mi$/)
    assert.isAtMost(
      Number.parseInt(container.resources.requests.memory, 10),
      Number.parseInt(container.resources.limits.memory, 10)
    )
    const [, preStop = "0"] = container.lifecycle.preStop.exec.command
    assert.isAbove(spec.terminationGracePeriodSeconds, Number(preStop) + 5)
    const mount = container.volumeMounts.find(({ mountPath }) => mountPath === data["LARDER_DIR"])
    assert.isTrue(spec.volumes.some(({ name }) => name === mount?.name))
  })
})

describe("Dockerfile", () => {
  const text = read("examples/docker/Dockerfile")
  const manifest = JSON.parse(read("examples/docker/package.json")) as {
    readonly scripts: Readonly<Record<string, string>>
    readonly dependencies: Readonly<Record<string, string>>
  }

  it("starts what is built, itself, as nobody in particular, with a probe that is answered", () => {
    assert.match(manifest.scripts["build"]!, /--outDir dist .*main\.ts$/)
    assert.match(text, /^CMD \["node", "dist\/main\.js"\]$/m)
    assert.match(text, /^USER node$/m)
    isRoute(/HEALTHCHECK.*3000(\/\w+)/.exec(text)?.[1])
    areKnown(
      Array.from(text.matchAll(/^ENV (.*)$/gm), ([, line = ""]) => line.split(" ").map((one) => one.split("=")[0]!))
        .flat()
        .filter((name) => name !== "NODE_ENV")
    )
  })

  it("installs what the package asks for, and all that the program imports", () => {
    const { peerDependencies } = JSON.parse(read("package.json")) as { peerDependencies: Record<string, string> }
    for (const [name, range] of Object.entries(manifest.dependencies)) {
      if (!["effect-larder", "redis"].includes(name)) assert.strictEqual(range, peerDependencies[name], name)
    }
    const imported = Array.from(read(program).matchAll(/from "((?:@[^/"]+\/)?[^/":]+)[^"]*"/g), ([, name]) => name)
    for (const name of imported.filter((one) => one !== "node")) assert.property(manifest.dependencies, name!)
  })
})

class Ended extends Data.TaggedError("Ended")<{ readonly code: number | null; readonly printed: string }> {}

interface Running {
  readonly url: string
  readonly child: ChildProcess
  /** Tells it to stop; answers with the code that it ends with. */
  readonly stop: Effect.Effect<number | null>
}

/** The program, when it listens. It ends with the Scope. */
const running = (
  environment: Readonly<Record<string, string>>,
  waits?: Deferred.Deferred<void>
): Effect.Effect<Running, Ended, Scope.Scope> =>
  Effect.gen(function* () {
    const port = yield* freePort
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", program], {
          cwd: root,
          env: { PATH: process.env["PATH"], PORT: String(port), LARDER_LOG_LEVEL: "INFO", ...environment },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
    let printed = ""
    yield* Effect.async<void, Ended>((resume) => {
      const hear = (chunk: unknown) => {
        printed += String(chunk)
        if (waits !== undefined && printed.includes("waiting for the store")) {
          Deferred.unsafeDone(waits, Effect.void)
        }
        if (printed.includes("Listening on")) resume(Effect.void)
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      void ended.then((code) => resume(Effect.fail(new Ended({ code, printed }))))
    })
    return {
      url: `http://127.0.0.1:${port}`,
      child,
      stop: Effect.promise(() => {
        child.kill("SIGTERM")
        return ended
      })
    }
  })

const asked = ({ url }: Running, path: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}${path}`, { headers: { connection: "close" } })
    return { status: response.status, how: response.headers.get("cache-status"), text: await response.text() }
  })

describe("the program of the image", () => {
  it.scopedLive("answers probes, keeps what it has learnt in its volume, and ends well when it is told to", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const first = yield* running({ LARDER_DIR: dir })
      assert.include((yield* asked(first, "/words/larder")).how, "loaded")
      const again = yield* asked(first, "/words/larder")
      assert.deepStrictEqual([again.status, again.text], [200, "6\n"])
      assert.include(again.how, "fresh")
      assert.strictEqual((yield* asked(first, "/healthz")).status, 200)
      const ready = yield* asked(first, "/readyz")
      assert.strictEqual(ready.status, 200)
      assert.include(ready.text, '"stores":["MemoryStore","SqliteStore"]')
      assert.match((yield* asked(first, "/metrics")).text, /^cache_gets_total\{cache="words",outcome="fresh"\} 1$/m)
      assert.strictEqual(yield* first.stop, 0)
      // a database that was closed has nothing left to be done
      assert.deepStrictEqual(
        fs.readdirSync(dir).filter((name) => name.endsWith("-wal")),
        []
      )
      const second = yield* running({ LARDER_DIR: dir })
      assert.include((yield* asked(second, "/words/larder")).how, "fresh")
      assert.strictEqual(yield* second.stop, 0)
    })
  )

  it.scopedLive("does not start over a store that it does not know, and says so", () =>
    Effect.gen(function* () {
      const { code, printed } = yield* Effect.flip(running({ STORE_URL: "mongodb://mongo" }))
      assert.strictEqual(code, 1)
      assert.match(printed, /STORE_URL.*must begin with one of redis, memcached, postgres, s3, sqlite/)
    })
  )

  it.scopedLive.skipIf(!Redis.isThere)(
    "waits for a server that is late, shares it with the others, and is ready without it",
    () =>
      Effect.gen(function* () {
        const server = yield* Redis.make()
        const environment = { STORE_URL: `redis://127.0.0.1:${server.port}` }
        yield* server.kill
        const waits = yield* Deferred.make<void>()
        const late = yield* Effect.fork(running(environment, waits))
        yield* Deferred.await(waits)
        yield* server.start
        const first = yield* Fiber.join(late)
        yield* asked(first, "/words/larder")
        const second = yield* running(environment)
        assert.include((yield* asked(second, "/words/larder")).how, "fresh")
        yield* server.kill
        assert.strictEqual((yield* asked(second, "/words/other")).text, "5\n")
        const ready = yield* asked(second, "/readyz")
        assert.strictEqual(ready.status, 200)
        assert.include(ready.text, "degraded")
        for (const one of [first, second]) assert.strictEqual(yield* one.stop, 0)
      })
  )
})
