/**
 * A schedule that code declares is a value, like a task: a name, when, a task, its input, options. It is bound to no
 * database; a beat that is given it makes the row, keeps it up to date, and leaves it alone once somebody edited it.
 *
 *   schedule('books.nightly', cron('0 3 * * *', { timezone: 'Europe/Rome' }), importBooks, { path: 'in.csv' }, { overlap: 'skip' })
 *
 * What is wrong throws here, when the module loads, never at three in the morning. The input is checked as for enqueue, but by a
 * schema that answers later only when a run starts.
 */
import { isObject, pointerStep } from '../check.ts'
import type { Duration } from '../duration.ts'
import { ScheduleError, type Fault } from '../errors.ts'
import { storableText } from '../json.ts'
import { isTask, type ArgumentsOf, type Task } from '../tasks/task.ts'
import { readDefinition, type CatchUp, type Overlap, type ScheduleDefinition } from './definition.ts'
import type { When } from './when.ts'

export { at, cron, every, solar, type CronFields, type CronLine, type Every, type When } from './when.ts'

export interface ScheduleOptions {
  /** Default true; false declares it switched off. */
  enabled?: boolean
  queue?: string
  /** -32768 to 32767, lower runs first. */
  priority?: number
  /** <= 20 labels of <= 64 characters, on each run. */
  tags?: readonly string[]
  headers?: Readonly<Record<string, unknown>>
  /** A run that has not started so long after its due instant never does. */
  expires?: Duration
  /** Fire once and be done. */
  oneOff?: boolean
  startAt?: Date | string
  endAt?: Date | string
  /** Each run waits a random part of this. */
  jitter?: Duration
  /** What to do while the last run has not ended; default allow. */
  overlap?: Overlap
  /** Which instants to fire after a time without a beat; default last. */
  catchUp?: CatchUp
  /** Instants missed for longer are not caught up. */
  catchUpWindow?: Duration
  firingsMax?: number
  /** Pause after so many failed runs in a row. */
  failuresMax?: number
  /** Where an interval counts from; default `startAt`, or when the schedule is made. */
  anchorAt?: Date | string
  description?: string
}

export interface Schedule {
  readonly name: string
  readonly task: Task<any, any, any> | string
  /** The row it declares; `zone` is that of a crontab which names none. Throws ScheduleError. */
  resolve(zone: string): ScheduleDefinition
  readonly '~schedule': true
}

/** Schedules as users write them: values, arrays of them, objects of them, nested. */
export type ScheduleTree = Schedule | readonly ScheduleTree[] | { readonly [key: string]: ScheduleTree }

const COLUMNS: Readonly<Record<keyof ScheduleOptions, keyof ScheduleDefinition>> = {
  enabled: 'enabled',
  queue: 'queue',
  priority: 'priority',
  tags: 'tags',
  headers: 'headers',
  expires: 'expires',
  oneOff: 'one_off',
  startAt: 'start_at',
  endAt: 'end_at',
  jitter: 'jitter',
  overlap: 'overlap',
  catchUp: 'catch_up',
  catchUpWindow: 'catch_up_window',
  firingsMax: 'firings_max',
  failuresMax: 'failures_max',
  anchorAt: 'anchor_at',
  description: 'description',
}

/**
 * Declares when a task runs by itself; after the task its input, typed by it, and options. Throws ScheduleError
 * (RB_SCHEDULE_INVALID) with a fault for each wrong place.
 */
export function schedule<T extends Task<any, any, any> | string>(
  name: string,
  when: When,
  task: T,
  ...[input, options]: ArgumentsOf<T, ScheduleOptions>
): Schedule {
  const stored = storableText(input, '/input')
  const inputText = input === undefined || 'fault' in stored ? '{}' : stored.text
  const body = {
    ...toColumns(name, options),
    name,
    task: isTask(task) ? task.name : task,
    schedule: when,
    input: JSON.parse(inputText),
  }
  const read = readDefinition(body, { zone: 'UTC' })
  const inputFaults = 'fault' in stored ? [stored.fault] : checkInput(task, inputText)
  refuse(name, [...read.faults, ...inputFaults])
  // Kept as text: nobody who holds the value, or what it resolves to, can change it.
  const kept = JSON.stringify(body)
  return Object.freeze({
    name,
    task,
    resolve(zone: string) {
      const { definition, faults } = readDefinition(JSON.parse(kept), { zone })
      refuse(name, faults)
      return definition as ScheduleDefinition
    },
    '~schedule': true as const,
  })
}

export function isSchedule(value: unknown): value is Schedule {
  return typeof value === 'object' && value !== null && (value as Schedule)['~schedule'] === true
}

/** The schedules of a tree, each once. Throws ScheduleError when two have one name, or something is none. */
export function listSchedules(tree: ScheduleTree | undefined): Schedule[] {
  const found = new Map<string, Schedule>()
  const visit = (branch: ScheduleTree | undefined | null): void => {
    if (branch === undefined || branch === null) return
    if (!isSchedule(branch)) {
      if (typeof branch === 'object') return Object.values(branch).forEach(visit)
      const words = `schedules: ${String(branch)} is not a schedule; make it with schedule(name, when, task).`
      throw new ScheduleError('RB_SCHEDULE_INVALID', words)
    }
    const standing = found.get(branch.name)
    if (standing && standing !== branch) {
      const words = `two schedules are named ${JSON.stringify(branch.name)}: rename one of them.`
      throw new ScheduleError('RB_SCHEDULE_DUPLICATE', words)
    }
    found.set(branch.name, branch)
  }
  visit(tree)
  return [...found.values()]
}

function toColumns(name: string, options: unknown): Record<string, unknown> {
  if (options === undefined || options === null) return {}
  if (!isObject(options)) return refuse(name, [{ pointer: '', detail: 'options must be an object' }]) as never
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(COLUMNS, key))
  if (unknown !== undefined) {
    const detail = `is no option of a schedule; known are ${Object.keys(COLUMNS).join(', ')}`
    const words = `schedule ${JSON.stringify(name)}: "${unknown}" ${detail}.`
    throw new ScheduleError('RB_SCHEDULE_INVALID', words, [{ pointer: pointerStep(unknown), detail }])
  }
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const isMoment = value instanceof Date && !Number.isNaN(value.getTime())
      return [COLUMNS[key as keyof ScheduleOptions], isMoment ? value.toISOString() : value]
    }),
  )
}

function checkInput(task: unknown, text: string): Fault[] {
  if (!isTask(task) || !task.input) return []
  const checked = task.input.check(JSON.parse(text))
  if (checked instanceof Promise) {
    // Told by the run: this module cannot wait, and a rejection that nobody hears would end the process.
    checked.catch(() => {})
    return []
  }
  return 'faults' in checked ? checked.faults : []
}

/** Throws when there is a fault; its message has the first, by the name it has in TypeScript. */
function refuse(name: unknown, faults: readonly Fault[]): void {
  const [first] = faults
  if (!first) return
  const [, column = '', rest = ''] = /^\/?([^/]*)(.*)$/s.exec(first.pointer)!
  const option = Object.entries(COLUMNS).find(([, known]) => known === column)?.[0] ?? column
  const words = `${option}${rest} ${first.detail}`.trim()
  throw new ScheduleError('RB_SCHEDULE_INVALID', `schedule ${JSON.stringify(name)}: ${words}.`, faults)
}
