/**
 * `rowbeat inspect WHAT` and `rowbeat status`: what workers are at. Tables for people; with `--json` the document that
 * REST answers. When no worker is there, or none answers, the exit code is 1.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createCommandControl, type Inspected } from '../control/commands.ts'
import { ASPECTS, inspect } from '../control/inspect.ts'
import { createWorkerControl, type WorkerDocument } from '../control/workers.ts'
import { toQueryable } from '../db/handle.ts'
import { ConfigError } from '../errors.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { tableOf } from './table.ts'
import { EXIT, say, tell } from './words.ts'

export interface InspectFlags extends Flags {
  destination?: string[]
  /** Milliseconds. */
  timeout?: number
}

export const TIMEOUT_MS = 1000

export async function inspectWorkers(word: string, flags: InspectFlags): Promise<number> {
  const what = word.replaceAll('-', '_')
  if (!ASPECTS.includes(what))
    throw new ConfigError(`"${word}" cannot be inspected: use one of ${ASPECTS.join(', ')}.`)
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createCommandControl(rowbeat)
    const workers = namesOf(flags)
    const timeoutMs = flags.timeout ?? TIMEOUT_MS
    const items = await inspect(control, PROCESS, { what, workers, timeoutMs })
    if (json) say({ items })
    else if (items.length > 0) say(TABLES[what]!(items))
    if (items.length > 0) return EXIT.done
    tell(
      `rowbeat: no worker ${what === 'ping' ? 'answered' : 'is there'}${workers ? ` by ${namesIn(workers)}` : ''}.`,
    )
    return EXIT.failed
  })
}

export async function status(flags: InspectFlags): Promise<number> {
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const workers = namesOf(flags)
    const all = await createWorkerControl(toQueryable(rowbeat.db)).list(PROCESS)
    const items = all.filter(({ name }) => !workers || workers.includes(name))
    if (json) say({ items, next: null })
    else if (items.length > 0) say(tableOf([STATUS, ...items.map(statusRow)]))
    if (items.length > 0) return EXIT.done
    tell('rowbeat: no worker is there.')
    return EXIT.failed
  })
}

/** `-d a,b -d c`; null is all. */
export function namesOf({ destination }: InspectFlags): string[] | null {
  const names = destination?.flatMap((text) => text.split(',')).map((name) => name.trim())
  return names?.filter(Boolean) ?? null
}

function namesIn(workers: readonly string[]): string {
  return workers.map((name) => JSON.stringify(name)).join(', ')
}

const STATUS = ['WORKER', 'PID', 'QUEUES', 'RUNNING', 'MEMORY', 'LAG', 'UP SINCE', 'STATE']

function statusRow(worker: WorkerDocument): string[] {
  const { name, pid, queues, running, rss_bytes, loop_lag_ms, started_at, quiet, stopping } = worker
  const served = Object.entries(queues).map(([queue, slots]) => `${queue}:${slots}`)
  const state = stopping ? 'stopping' : quiet ? 'quiet' : 'ok'
  return [
    name,
    pid,
    served.join(','),
    running.length,
    megabytes(rss_bytes),
    lag(loop_lag_ms),
    started_at,
    state,
  ].map(cell)
}

type Row = Record<string, any>

/** A table of what each worker has several of: its name in front, when it is a worker's. */
function listed(...columns: readonly string[]): (items: readonly Inspected[]) => string {
  return (items) => {
    const rows = items.flatMap(({ worker, reply }) =>
      (reply as Row[]).map((row) => [
        ...(worker === null ? [] : [worker]),
        ...columns.map((name) => cell(row[name])),
      ]),
    )
    if (rows.length === 0) return 'none'
    const heads = columns.map((name) => name.replaceAll('_', ' ').toUpperCase())
    return tableOf([items[0]!.worker === null ? heads : ['WORKER', ...heads], ...rows])
  }
}

const TABLES: Readonly<Record<string, (items: readonly Inspected[]) => string>> = {
  active: listed('id', 'task', 'queue', 'attempt', 'started_at'),
  active_queues: listed('queue', 'concurrency', 'autoscale', 'paused'),
  ping: (items) => tableOf(items.map(({ worker, reply }) => [worker!, cell(reply)])),
  registered: listed('name', 'queue', 'attempts_max', 'time_limit', 'soft_time_limit', 'settings'),
  report: (items) => items.map(({ worker, reply }) => `${worker}\n${facts(reply as Row)}`).join('\n\n'),
  reserved: listed('id', 'task', 'queue', 'priority', 'created_at'),
  revoked: listed('id', 'task', 'queue', 'state', 'message', 'at'),
  scheduled: listed('id', 'task', 'queue', 'reason', 'release_at'),
  stats: (items) =>
    tableOf([
      ['WORKER', 'PID', 'UPTIME', 'SLOTS', 'RUNNING', 'PROCESSED', 'MEMORY', 'LAG', 'SEEN AT'],
      ...items.map(({ worker, reply }) => {
        const { pid, uptime, concurrency, running, processed, rss_bytes, loop_lag_ms, seen_at } = reply as Row
        const total = Object.values(processed as Record<string, number>).reduce((sum, n) => sum + n, 0)
        return [
          worker,
          pid,
          `${Math.round(uptime)} s`,
          concurrency,
          running,
          total,
          megabytes(rss_bytes),
          lag(loop_lag_ms),
          seen_at,
        ].map(cell)
      }),
    ]),
}

function facts(reply: Row): string {
  const names = Object.keys(reply)
  const width = Math.max(...names.map((name) => name.length))
  return names.map((name) => `  ${name.padEnd(width)}  ${cell(reply[name])}`).join('\n')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'string'
    ? value.replace(/\s+/g, ' ')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value)
}

function megabytes(bytes: number | null): string {
  return bytes === null ? '-' : `${Math.round(bytes / 2 ** 20)} MB`
}

function lag(ms: number | null): string {
  return ms === null ? '-' : `${Math.round(ms)} ms`
}
