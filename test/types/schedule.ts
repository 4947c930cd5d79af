/**
 * Compile-only: schedules in code. When, the task's input and the options are held by the compiler; each
 * `@ts-expect-error` is a claim that the line below does not compile.
 */
import { z } from 'zod'
import { at, cron, every, schedule, solar, task, type Schedule } from '../../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>(): void => {}

const tick = task('c.tick', {}, () => null)
const add = task('c.add', {}, ({ x, y }: { x: number; y: number }) => x + y)
const greet = task('c.greet', {}, (input: { name: string } | undefined) => input?.name ?? 'you')
const read = task(
  'c.read',
  { input: z.object({ path: z.string(), depth: z.number().default(1) }) },
  () => null,
)
const dated = task('c.dated', {}, (input: { at: Date }) => input)

// Intervals: seconds, or a number and a unit, months and years too.
every(10)
every(0.5)
every('15 minutes')
every('1.5h')
every('3 months')
every('1year')
// @ts-expect-error a misspelt unit
every('15 minuts')
// @ts-expect-error no unit
every('15')
// @ts-expect-error two in one
every('1h 30m')
// @ts-expect-error a unit that is not offered
every('5 microseconds')

// Crontabs: five fields, an alias, or fields by name.
cron('0 3 * * *')
cron('*/5 8-18 * * mon-fri', { timezone: 'Europe/Kyiv', mode: 'cron' })
cron('@daily')
cron({ minute: 0, hour: [8, 20], dayOfWeek: 'mon-fri' })
cron({})
// A text that comes from elsewhere is judged when it runs.
const fromElsewhere: string = String('0 3 * * *')
cron(fromElsewhere)
// @ts-expect-error four fields
cron('0 3 * *')
// @ts-expect-error a misspelt alias
cron('@dayly')
// @ts-expect-error a field that is none
cron({ minute: 0, second: 5 })
// @ts-expect-error REST's spelling
cron({ day_of_week: 1 })
// @ts-expect-error a mode that is none
cron('0 3 * * *', { mode: 'quartz' })
// @ts-expect-error an option that is none
cron('0 3 * * *', { tz: 'UTC' })

// The sun, and one instant.
solar('sunset', { latitude: 50.45, longitude: 30.52 })
at(new Date(0))
at('2026-12-24T18:00:00Z')
// @ts-expect-error the moon
solar('moonrise', { latitude: 0, longitude: 0 })
// @ts-expect-error half a place
solar('sunset', { latitude: 0 })
// @ts-expect-error coordinates are numbers
solar('sunset', { latitude: '50', longitude: 30 })
// @ts-expect-error a number is no instant
at(1_700_000_000)

// The input is the task's, as for enqueue.
const made = schedule('c.add', every(10), add, { x: 1, y: 2 })
holds<Equal<typeof made, Schedule>>()
schedule('c.tick', every(10), tick)
schedule('c.tick2', every(10), tick, undefined, { queue: 'high' })
schedule('c.greet', every(10), greet)
schedule('c.greet2', every(10), greet, { name: 'Ada' })
schedule('c.read', every(10), read, { path: 'in.csv' })
schedule('c.by-name', every(10), 'other.task', { anything: [1] })
schedule('c.by-name2', every(10), 'other.task')
// @ts-expect-error a missing input
schedule('c.add', every(10), add)
// @ts-expect-error a wrong type
schedule('c.add', every(10), add, { x: '1', y: 2 })
// @ts-expect-error a field that is none
schedule('c.add', every(10), add, { x: 1, y: 2, z: 3 })
// @ts-expect-error a wrong type, though it may be left out
schedule('c.greet', every(10), greet, { name: 1 })
// @ts-expect-error a wrong type against the schema
schedule('c.read', every(10), read, { path: 1 })
// @ts-expect-error a Date, which JSON would lose
schedule('c.dated', every(10), dated, { at: new Date(0) })
// @ts-expect-error when comes before the task
schedule('c.tick', tick, every(10))
// @ts-expect-error a text is no when
schedule('c.tick', '0 3 * * *', tick)

// Options are known by name and type.
schedule('c.options', cron('@hourly'), tick, undefined, {
  enabled: false,
  queue: 'high',
  priority: -1,
  tags: ['a'],
  headers: { trace: 1 },
  expires: '10 minutes',
  oneOff: true,
  startAt: new Date(0),
  endAt: '2027-01-01T00:00:00Z',
  jitter: 5,
  overlap: 'buffer_one',
  catchUp: 'all',
  catchUpWindow: '1 day',
  firingsMax: 3,
  failuresMax: 3,
  anchorAt: '2026-01-01T00:00:00Z',
  description: '',
})
// @ts-expect-error a duration that is none
schedule('c.tick', every(10), tick, undefined, { jitter: '5 minuts' })
// @ts-expect-error REST's spelling
schedule('c.tick', every(10), tick, undefined, { start_at: new Date(0) })
// @ts-expect-error none of allow, skip, buffer_one, cancel_other
schedule('c.tick', every(10), tick, undefined, { overlap: 'queue' })
// @ts-expect-error none of skip, last, all
schedule('c.tick', every(10), tick, undefined, { catchUp: true })
// @ts-expect-error an option of enqueue, not of a schedule
schedule('c.tick', every(10), tick, undefined, { delay: '5s' })
