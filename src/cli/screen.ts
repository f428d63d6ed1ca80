/**
 * Where a command shows what it has found: a person's terminal, a pipe, or a test.
 *
 * Nothing that comes out of a store reaches a terminal as it is: characters that would steer it are written as codes.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Prompt from "@effect/cli/Prompt"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export interface Service {
  /** Whether programs read it, and want JSON. */
  readonly json: boolean
  /** Characters of a line, on a terminal. */
  readonly columns: number | undefined
  readonly colours: boolean
  readonly print: (text: string) => Effect.Effect<void>
  /** What is no result: progress, warnings. */
  readonly note: (text: string) => Effect.Effect<void>
  /** Asks somebody who is there; `undefined` if nobody is. */
  readonly confirm: (question: string) => Effect.Effect<boolean | undefined>
}

export class Screen extends Context.Tag("effect-larder/cli/Screen")<Screen, Service>() {}

/** Control characters, and those that turn the direction of writing; a line break only where it is said to be one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steering = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu

const coded = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Any text as one line that steers no terminal. */
export const safe = (text: string): string => text.replace(steering, coded)

/** Numbers that JSON has not are null; what is not escaped by JSON itself, and steers a terminal, is. */
export const toJson = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, each: unknown) => (typeof each === "number" && !Number.isFinite(each) ? null : each),
    2
  ).replace(steering, (character) => (character === "\n" ? character : coded(character)))

/** One result: as JSON, or as a person would like to read it. */
export const show = <A>(value: A, render: (value: A, screen: Service) => string): Effect.Effect<void, never, Screen> =>
  Effect.flatMap(Screen, (screen) => screen.print(screen.json ? toJson(value) : render(value, screen)))

const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const
export type Colour = keyof typeof codes

export const paint = ({ colours }: Pick<Service, "colours">, colour: Colour, text: string): string =>
  colours ? `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m` : text

/** The process's own: colours only on a terminal, and not if `NO_COLOR` is set (no-color.org). */
export const layer = ({ json }: { readonly json: boolean }): Layer.Layer<Screen, never, Prompt.Prompt.Environment> =>
  Layer.effect(
    Screen,
    Effect.gen(function* () {
      const terminal = yield* Terminal.Terminal
      const context = yield* Effect.context<Prompt.Prompt.Environment>()
      const isTerminal = process.stdout.isTTY === true
      const columns = yield* terminal.columns
      return {
        json,
        columns: isTerminal && columns > 0 ? columns : undefined,
        colours: isTerminal && (process.env["NO_COLOR"] ?? "") === "",
        print: Console.log,
        note: Console.error,
        confirm: (question) =>
          isTerminal && process.stdin.isTTY === true
            ? Prompt.run(Prompt.confirm({ message: question })).pipe(
                Effect.provide(context),
                Effect.orElseSucceed(() => false)
              )
            : Effect.succeed(undefined)
      }
    })
  )
