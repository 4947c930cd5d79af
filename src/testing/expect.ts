/**
 * `expectEnqueued(rowbeat, task, { … })`: that a run like this was asked for, wherever it is by now. When none is, the
 * error lists what was enqueued instead, which is what one would look up next. It is node:assert's AssertionError, so
 * every test runner shows it as a failed assertion.
 */
import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import { toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { listRunsOf, listTasksWithRuns } from '../db/statements/drain.ts'
import { parseRun, toRun, type Run, type RunState } from '../results/run.ts'
import { isTask, type OutputOf, type Task } from '../tasks/task.ts'
import type { EagerRowbeat } from './eager.ts'

export interface Expected {
  /** Part of the input: keys that are not named may be anything; a list is compared as a whole. Or a function of it. */
  input?: unknown
  queue?: string
  priority?: number
  /** One of its tags. */
  tag?: string
  state?: RunState | readonly RunState[]
  uniqueKey?: string
  /** Part of its headers. */
  headers?: Readonly<Record<string, unknown>>
  parent?: string | null
  /** Exactly so many; 0 expects none. Default: at least one. */
  count?: number
}

/** A rowbeat, an eager one, or a database handle: also the transaction that the run was enqueued in. */
export type ExpectTarget = { readonly db: DatabaseHandle } | EagerRowbeat | DatabaseHandle

/** Of one task, that are looked at. */
const RUNS_MAX = 10_000
/** That an error lists. */
const LISTED_MAX = 20

/** Answers the runs that are meant, oldest first. Throws AssertionError. */
export async function expectEnqueued<T extends Task<any, any, any> | string>(
  target: ExpectTarget,
  task: T,
  expected: Expected = {},
): Promise<Run<OutputOf<T>>[]> {
  const name = isTask(task) ? task.name : String(task)
  const look = lookerOf(target)
  const runs = await look.runsOf(name)
  const met = runs.filter((run) => isMet(run, expected))
  const { count } = expected
  if (count === undefined ? met.length > 0 : met.length === count) return met as Run<OutputOf<T>>[]
  const wanted = count === undefined ? 'at least one run' : `${count} run${count === 1 ? '' : 's'}`
  const { count: _, ...like } = expected
  const words = Object.keys(like).length > 0 ? ` like ${show(like)}` : ''
  const listed = runs.length > 0 ? list(runs) : await explainNone(name, look)
  throw new AssertionError({
    message: `expected ${wanted} of ${name}${words}, found ${met.length}. ${listed}`,
    actual: runs.map(brief),
    expected: like,
    operator: 'expectEnqueued',
    stackStartFn: expectEnqueued,
  })
}

interface Looker {
  runsOf(task: string): Promise<readonly Run[]>
  tasks(): Promise<readonly string[]>
}

function lookerOf(target: ExpectTarget): Looker {
  if ('runs' in target && Array.isArray(target.runs)) {
    const runs = target.runs as readonly Run[]
    return {
      runsOf: async (task) => runs.filter((run) => run.task === task),
      tasks: async () => [...new Set(runs.map((run) => run.task))],
    }
  }
  const isHolder = 'db' in target && typeof target === 'object' && !('execute' in target)
  const db = toQueryable(isHolder ? (target as { db: DatabaseHandle }).db : (target as DatabaseHandle))
  return {
    runsOf: async (task) => (await listRunsOf(db, task, RUNS_MAX)).map((text) => toRun(parseRun(text))),
    tasks: () => listTasksWithRuns(db),
  }
}

function isMet(run: Run, expected: Expected): boolean {
  const { input, queue, priority, tag, state, uniqueKey, headers, parent } = expected
  if (queue !== undefined && run.queue !== queue) return false
  if (priority !== undefined && run.priority !== priority) return false
  if (tag !== undefined && !run.tags.includes(tag)) return false
  if (state !== undefined && !([] as RunState[]).concat(state).includes(run.state)) return false
  if (uniqueKey !== undefined && run.uniqueKey !== uniqueKey) return false
  if (parent !== undefined && run.parent !== parent) return false
  if (headers !== undefined && !includes(run.headers, asJson(headers))) return false
  if (input === undefined) return true
  return typeof input === 'function' ? input(run.input) === true : includes(run.input, asJson(input))
}

/** As it is stored: a Date is its text by now. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}

/** Whether `part` is in `whole`: of objects the keys that part has, anything else as it is. */
function includes(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return whole === part
  if (typeof whole !== 'object' || whole === null) return false
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && part.length !== (whole as unknown[]).length) return false
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && includes((whole as Record<string, unknown>)[key], value),
  )
}

async function explainNone(name: string, look: Looker): Promise<string> {
  const others = (await look.tasks()).filter((task) => task !== name)
  return others.length === 0
    ? 'Nothing was enqueued.'
    : `Of this task nothing was enqueued, but of ${others.join(', ')}.`
}

function list(runs: readonly Run[]): string {
  const lines = runs.slice(0, LISTED_MAX).map((run) => `\n  ${show(brief(run))}`)
  const more = runs.length - lines.length
  return `Enqueued were:${lines.join('')}${more > 0 ? `\n  and ${more} more` : ''}`
}

function brief({ input, queue, priority, tags, state, uniqueKey }: Run): Record<string, unknown> {
  return {
    input,
    queue,
    ...(priority !== 0 && { priority }),
    ...(tags.length > 0 && { tags }),
    ...(uniqueKey !== null && { uniqueKey }),
    state,
  }
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Infinity, compact: true, maxStringLength: 200 })
}
