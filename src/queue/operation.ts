/**
 * Operations: one verb for all runs that match a filter, as an object with progress, throttle and stop. To begin one writes
 * a row, in the handle's own transaction; workers work it off (dispatcher/operations.ts), whoever waits asks the row.
 *
 * What may be asked is checked by the database (drizzle/0006), since it is asked in SQL too; its words name the field.
 */
import { isObject, isUuid } from '../check.ts'
import { monotonicMs, sleep } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { readOperation, startOperation, stopOperation } from '../db/statements/operations.ts'
import { readClock } from '../db/statements/schedules.ts'
import { durationMs, type Duration } from '../duration.ts'
import { OperationError, ResultError } from '../errors.ts'
import { storableText } from '../json.ts'
import type { RunState } from '../results/run.ts'
import { describeFault, parseSearch } from '../results/search/search.ts'
import { explainRefusal } from './enqueue.ts'

export type OperationKind = 'revoke' | 'retry' | 'reschedule' | 'delete' | 'purge' | 'move'
export type OperationState = 'running' | 'done' | 'stopped' | 'failed'
export const OPERATION_KINDS: readonly OperationKind[] = [
  'revoke',
  'retry',
  'reschedule',
  'delete',
  'purge',
  'move',
]
export const OPERATION_STATES: readonly OperationState[] = ['running', 'done', 'stopped', 'failed']

/** Which runs: those for which all of this holds. To mean all runs, say so: `{ all: true }`. */
export interface OperationFilter {
  /** A search, as in `state:failed input.user.id:42 created:>-1h`; times in it are those of the beginning. */
  q?: string
  state?: RunState | readonly RunState[]
  reason?: string | readonly string[]
  task?: string
  queue?: string
  /** One tag, or several that a run must all have. */
  tag?: string | readonly string[]
  schedule?: string
  createdBefore?: Date | string
  createdAfter?: Date | string
  /** At most 10,000. */
  ids?: readonly string[]
  all?: true
}

export interface OperationOptions {
  /** Runs a second at most; without it, as fast as the database goes. */
  throttle?: number
  /** Of revoke: end what runs without waiting for its handler. */
  terminate?: boolean
  /** Of revoke and purge: why, in your words. */
  reason?: string
  /** Of retry: instead of their own; needs a filter with a task. */
  input?: unknown
  /** Of reschedule: one of the two. */
  eta?: Date | string
  delay?: Duration
  /** Of move: the queue that they go to. */
  to?: string
}

/** An operation as REST answers it. */
export interface OperationDocument {
  id: string
  kind: OperationKind
  filter: Record<string, unknown>
  options: Record<string, unknown>
  state: OperationState
  /** About how many runs matched when it began; exact when it is done, null before it has begun. */
  total: number | null
  done: number
  /** Matched, and had moved on by then, or stood already. */
  skipped: number
  failed: number
  percent: number | null
  /** The last fault there was. */
  error: string | null
  created_by: string
  created_at: string
  started_at: string | null
  finished_at: string | null
}

export interface OperationHandle {
  readonly id: string
  /** How far it is. Throws OperationError RB_OPERATION_NOT_FOUND. */
  get(): Promise<OperationDocument>
  /** Stops it after the step it is at, and answers its state after; what was done stays done. */
  stop(): Promise<OperationState>
  /** Waits for its end. Throws ResultError RB_RESULT_TIMEOUT after `timeout` (default 1 minute). */
  finished(options?: { timeout?: Duration }): Promise<OperationDocument>
}

const POLL_MS = 200

/** Begins an operation and answers its id. Throws OperationError RB_OPERATION_INVALID with a fault. */
export async function beginOperation(
  db: Queryable,
  kind: string,
  filter: unknown,
  options: unknown,
  by: string | null = null,
): Promise<string> {
  const asked = textOf(await readSearch(db, filter), '/filter')
  return await startOperation(db, kind, asked, textOf(options, ''), by).catch((error: unknown) => {
    throw explainOperation(error)
  })
}

/** A search in a filter becomes what it means; SQL knows nothing of its words. */
async function readSearch(db: Queryable, filter: unknown): Promise<unknown> {
  if (!isObject(filter)) return filter
  if ('where' in filter) throw refuseFilter('/where', 'is no part of a filter')
  const { q, ...rest } = filter
  if (typeof q !== 'string') return filter
  const now = await readClock(db).catch((error: unknown) => {
    throw explainDatabaseError(error)
  })
  const read = parseSearch(q, now)
  if (!('search' in read)) throw refuseFilter('/q', read.faults.map(describeFault).join('; '))
  const { states, where } = read.search
  if (states === null && where.length === 0) return rest
  const given = typeof rest.state === 'string' ? rest.state.split(',') : rest.state
  const both = states?.filter((state) => !Array.isArray(given) || given.includes(state))
  if (both?.length === 0) throw refuseFilter('/q', 'names no state that a run can be in')
  return { ...rest, q, where, ...(both && { state: both }) }
}

function refuseFilter(pointer: string, detail: string): OperationError {
  return new OperationError('RB_OPERATION_INVALID', `filter: ${pointer.slice(1)} ${detail}.`, [
    { pointer: `/filter${pointer}`, detail },
  ])
}

/** A filter or options in TypeScript's words -> those of SQL and REST. Dates become text by themselves. */
export function toFields(given: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  )
}

function textOf(value: unknown, root: string): string {
  const stored = storableText(value, root)
  if ('fault' in stored)
    throw new OperationError('RB_OPERATION_INVALID', `${stored.fault.pointer} ${stored.fault.detail}`, [
      stored.fault,
    ])
  return stored.text
}

function explainOperation(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string }
  if (code !== '22023') return explainRefusal(error)
  const match = /^(\w+): (.*)$/s.exec(message)
  const faults = match ? [{ pointer: `/${match[1]}`, detail: match[2]! }] : []
  return new OperationError('RB_OPERATION_INVALID', `${message}.`, faults, { cause: error })
}

export async function readDocument(db: Queryable, id: string): Promise<OperationDocument> {
  const text = isUuid(id)
    ? await readOperation(db, id).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    : null
  if (text === null) throw unknownOperation(id)
  return JSON.parse(text) as OperationDocument
}

export async function haltOperation(db: Queryable, id: string): Promise<OperationState> {
  const state = isUuid(id)
    ? await stopOperation(db, id).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    : null
  if (state === null) throw unknownOperation(id)
  return state as OperationState
}

function unknownOperation(id: string): OperationError {
  return new OperationError(
    'RB_OPERATION_NOT_FOUND',
    `operation ${id} is unknown: it was never begun, was rolled back, or ended over 30 days ago.`,
  )
}

export function createOperationHandle(db: Queryable, id: string): OperationHandle {
  return Object.freeze({
    id,
    get: () => readDocument(db, id),
    stop: () => haltOperation(db, id),
    async finished({ timeout = '1 minute' }: { timeout?: Duration } = {}) {
      const deadline = monotonicMs() + durationMs(timeout, 'timeout')
      for (;;) {
        const document = await readDocument(db, id)
        if (document.state !== 'running') return document
        if (monotonicMs() >= deadline)
          throw new ResultError(
            'RB_RESULT_TIMEOUT',
            `operation ${id} is at ${document.percent ?? 0} % and did not end in time: wait longer, or look at it later.`,
          )
        await sleep(POLL_MS)
      }
    },
  })
}
