/**
 * Compile-only: where a task's input type comes from, and what enqueue refuses before it runs. Each `@ts-expect-error`
 * is a claim that the line below does not compile; compile.test.ts holds them all.
 */
import { Type } from 'typebox'
import * as v from 'valibot'
import { z } from 'zod'
import { createRowbeat, task, type EnqueueItem, type InputOf } from '../../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>(): void => {}
const rowbeat = createRowbeat({ databaseUrl: 'postgres://localhost/never' })

// From the handler's own annotation.
const add = task('t.add', {}, ({ x, y }: { x: number; y: number }) => x + y)
holds<Equal<InputOf<typeof add>, { x: number; y: number }>>()
await rowbeat.enqueue(add, { x: 1, y: 2 })
// @ts-expect-error a wrong type
await rowbeat.enqueue(add, { x: '1', y: 2 })
// @ts-expect-error a missing field
await rowbeat.enqueue(add, { x: 1 })
// @ts-expect-error a missing input
await rowbeat.enqueue(add)
// @ts-expect-error a field that is none
await rowbeat.enqueue(add, { x: 1, y: 2, z: 3 })
// @ts-expect-error a wrong type, in a transaction
await rowbeat.in(rowbeat.db).enqueue(add, { x: true, y: 2 })

// A task that takes nothing needs no input; a task known by name alone takes anything.
const tick = task('t.tick', {}, () => 'done')
await rowbeat.enqueue(tick)
await rowbeat.enqueue('t.by-name', { anything: [1, 'two'] }, { queue: 'high' })
await rowbeat.enqueue('t.by-name')
// An input that may be left out.
const greet = task('t.greet', {}, (input: { name: string } | undefined) => input?.name ?? 'you')
await rowbeat.enqueue(greet)
await rowbeat.enqueue(greet, undefined, { delay: '5s' })
await rowbeat.enqueue(greet, { name: 'Ada' })
// @ts-expect-error a wrong type, though it may be left out
await rowbeat.enqueue(greet, { name: 1 })

// zod: enqueue takes what goes into the schema, the handler what comes out.
const zodded = task(
  't.zod',
  { input: z.object({ id: z.number(), note: z.string().default('-'), at: z.iso.datetime().optional() }) },
  (input) => {
    holds<Equal<typeof input, { id: number; note: string; at?: string | undefined }>>()
    return input.id
  },
)
await rowbeat.enqueue(zodded, { id: 1 })
// @ts-expect-error a wrong type
await rowbeat.enqueue(zodded, { id: 'one' })
// @ts-expect-error a missing input
await rowbeat.enqueue(zodded)
// @ts-expect-error a handler that takes something else than the schema gives
task('t.zod-wrong', { input: z.object({ id: z.number() }) }, (input: { id: string }) => input.id)

// valibot.
const valiboted = task(
  't.valibot',
  { input: v.object({ email: v.pipe(v.string(), v.email()), times: v.optional(v.number(), 1) }) },
  (input) => {
    holds<Equal<typeof input, { email: string; times: number }>>()
    return input.email
  },
)
await rowbeat.enqueue(valiboted, { email: 'ada@example.net' })
// @ts-expect-error a wrong type
await rowbeat.enqueue(valiboted, { email: 5 })

// typebox: a JSON Schema whose types tell all.
const boxed = task(
  't.typebox',
  {
    input: Type.Object({
      id: Type.Integer(),
      tags: Type.Array(Type.String()),
      mode: Type.Union([Type.Literal('fast'), Type.Literal('slow')]),
      note: Type.Optional(Type.String()),
      pair: Type.Tuple([Type.Number(), Type.Null()]),
      more: Type.Record(Type.String(), Type.Boolean()),
    }),
  },
  (input) => {
    holds<
      Equal<
        typeof input,
        {
          id: number
          tags: string[]
          mode: 'fast' | 'slow'
          pair: [number, null]
          more: Record<string, boolean>
          note?: string
        }
      >
    >()
    return input.mode
  },
)
await rowbeat.enqueue(boxed, { id: 1, tags: ['a'], mode: 'fast', pair: [1, null], more: { yes: true } })
// @ts-expect-error a value that is none of the literals
await rowbeat.enqueue(boxed, { id: 1, tags: [], mode: 'later', pair: [1, null], more: {} })
// @ts-expect-error a missing field
await rowbeat.enqueue(boxed, { id: 1, tags: [], pair: [1, null], more: {} })

// JSON Schema by hand: inferred where it is written, no `as const` needed.
const plain = task(
  't.json-schema',
  {
    input: {
      type: 'object',
      properties: {
        path: { type: 'string' },
        depth: { type: ['integer', 'null'] },
        kind: { enum: ['a', 'b'] },
      },
      required: ['path'],
    },
  },
  (input) => {
    holds<Equal<typeof input, { path: string; depth?: number | null; kind?: 'a' | 'b' }>>()
    return input.path
  },
)
await rowbeat.enqueue(plain, { path: 'in.csv', depth: null })
// @ts-expect-error a missing field
await rowbeat.enqueue(plain, { depth: 1 })
// @ts-expect-error a wrong type
await rowbeat.enqueue(plain, { path: 'in.csv', kind: 'c' })
// A schema that came from elsewhere says nothing to the compiler: the handler's annotation stands.
const fromFile: Record<string, unknown> = JSON.parse('{}')
task('t.json-schema-unknown', { input: fromFile }, (input: { path: string }) => input.path)

// What JSON would lose is refused where it stands.
const dated = task('t.dated', {}, (input: { at: Date; name: string }) => input.name)
// @ts-expect-error a Date: give its text
await rowbeat.enqueue(dated, { at: new Date(0), name: 'x' })
const mapped = task('t.map', {}, (input: { by: Map<string, number> }) => input.by.size)
// @ts-expect-error a Map
await rowbeat.enqueue(mapped, { by: new Map() })
const big = task('t.big', {}, (input: { deep: { n: bigint }[] }) => input.deep.length)
// @ts-expect-error a bigint, deep down
await rowbeat.enqueue(big, { deep: [{ n: 1n }] })
const promised = task('t.promised', {}, (input: { row: Promise<number> }) => input)
// @ts-expect-error a promise nobody awaited
await rowbeat.enqueue(promised, { row: Promise.resolve(1) })

// Many: each item is checked against its own task, and each handle knows its own result.
const [sum, mode] = await rowbeat.enqueueMany([
  { task: add, input: { x: 1, y: 2 }, delay: '5s' },
  { task: boxed, input: { id: 1, tags: [], mode: 'slow', pair: [0, null], more: {} } },
  { task: tick },
  { task: 't.by-name', input: { any: 1 } },
])
holds<Equal<Awaited<ReturnType<typeof sum.result>>, number>>()
holds<Equal<Awaited<ReturnType<typeof mode.result>>, 'fast' | 'slow'>>()
await rowbeat.enqueueMany([1, 2, 3].map((x) => ({ task: add, input: { x, y: x } })))
// @ts-expect-error a wrong input of one of them
await rowbeat.enqueueMany([{ task: tick }, { task: add, input: { x: 'one', y: 2 } }])
// @ts-expect-error a missing input of one of them
await rowbeat.enqueueMany([{ task: add }])
const later: EnqueueItem[] = [{ task: add, input: { x: 1, y: 2 } }, { task: 't.by-name' }]
await rowbeat.enqueueMany(later)
