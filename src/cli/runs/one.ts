/**
 * `rowbeat runs show|logs|watch <id>`: one run with all that belongs to it, what its handler said, and how it comes along. Following
 * is looking again; it ends with the run, and a server that is away for a while is waited for.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import { monotonicMs, sleep } from '../../clock.ts'
import {
  createRunPartsControl,
  type AttemptDocument,
  type LogDocument,
  type RunPartsControl,
} from '../../control/run-parts.ts'
import { createRunControl, type RunControl } from '../../control/runs.ts'
import { toQueryable } from '../../db/handle.ts'
import { ResultError, StoreError } from '../../errors.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { FINISHED_STATES, type RunDocument } from '../../results/run.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { harmless, indented, tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'
import { stateOf } from './list.ts'

const PAGE = 1000
const LOOK_MS = 500

interface Desk {
  rowbeat: Rowbeat
  runs: RunControl
  parts: RunPartsControl
  json: boolean
}

async function atRun(
  id: string,
  flags: Flags,
  work: (id: string, desk: Desk) => Promise<number>,
): Promise<number> {
  if (!isUuid(id)) throw new ResultError('RB_RUN_NOT_FOUND', `No run has the id "${id}", which is no UUID.`)
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const runs = createRunControl(rowbeat)
    const parts = createRunPartsControl(toQueryable(rowbeat.db), runs)
    return await work(id.toLowerCase(), { rowbeat, runs, parts, json })
  })
}

export async function show(id: string, flags: Flags): Promise<number> {
  return await atRun(id, flags, async (run, { runs, parts, json }) => {
    const document = await runs.read(PROCESS, run)
    const attempts = await parts.attempts(PROCESS, run)
    const { items: logs, after } = await parts.logs(PROCESS, run, { limit: PAGE })
    if (json) say({ ...document, attempts, logs })
    else say(toText(document, attempts, logs))
    if (after !== null) tell(`It said more: rowbeat runs logs ${run}`)
    return EXIT.done
  })
}

export async function logs(id: string, flags: Flags & { follow?: boolean }): Promise<number> {
  return await atRun(id, flags, async (run, { runs, parts, json }) => {
    const said: LogDocument[] = []
    let seq = 0
    const readOn = async (): Promise<void> => {
      for (let more = true; more;) {
        const page = await parts.logs(PROCESS, run, { after: seq, limit: PAGE })
        for (const line of page.items) if (!json) say(lineOf(line))
        if (json) said.push(...page.items)
        seq = page.items.at(-1)?.seq ?? seq
        more = page.after !== null
      }
    }
    await readOn()
    // The state is read before the lines: what was said last is not missed.
    for (let over = !flags.follow; !over;) {
      over = await retried(async () => FINISHED_STATES.includes((await runs.read(PROCESS, run)).state), false)
      await retried(readOn, undefined)
      if (!over) await sleep(LOOK_MS)
    }
    if (json) say({ items: said, next: null })
    else if (seq === 0) tell('It said nothing.')
    return EXIT.done
  })
}

/** A server that restarts is no end of following. */
async function retried<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreError) return otherwise
    throw error
  }
}

export async function watch(id: string, flags: Flags & { timeout?: number }): Promise<number> {
  return await atRun(id, flags, async (run, { rowbeat, runs, json }) => {
    const over = new AbortController()
    const timer = flags.timeout === undefined ? null : setTimeout(() => over.abort(), flags.timeout)
    const beganAt = monotonicMs()
    let last = ''
    for await (const _ of rowbeat.run(null, run).watch({ signal: over.signal })) {
      const words = progressOf(await runs.read(PROCESS, run))
      if (!json && words !== last) say(words)
      last = words
    }
    if (timer) clearTimeout(timer)
    const document = await runs.read(PROCESS, run)
    if (json) say(document)
    if (!FINISHED_STATES.includes(document.state)) {
      tell(`rowbeat: it has not finished in ${((monotonicMs() - beganAt) / 1000).toFixed(1)} s.`)
      return EXIT.timedOut
    }
    if (document.error) tell(`rowbeat: ${harmless(`${document.error.name}: ${document.error.message}`)}`)
    return document.state === 'SUCCESS' ? EXIT.done : EXIT.failed
  })
}

function progressOf(run: RunDocument): string {
  const { progress, worker, attempt, attempts_max, state } = run
  const parts = [stateOf(run)]
  if (progress) {
    const of = progress.total === null ? '' : ` of ${progress.total}`
    const percent = progress.percent === null ? '' : ` (${progress.percent} %)`
    parts.push(`${progress.current}${of}${percent}`)
  }
  if (attempt > 1) parts.push(`try ${attempt} of ${attempts_max}`)
  if (worker && !FINISHED_STATES.includes(state)) parts.push(`on ${worker}`)
  return harmless(parts.join('  '))
}

/** Shown by themselves, below. */
const BLOCKS = ['input', 'result', 'error', 'progress', 'headers'] as const

function toText(
  run: RunDocument,
  attempts: readonly AttemptDocument[],
  logs: readonly LogDocument[],
): string {
  const { error } = run
  const plain = Object.entries(run).filter(([key]) => !(BLOCKS as readonly string[]).includes(key))
  const lines = [tableOf(plain.map(([key, value]) => [key, cell(value)]))]
  for (const key of BLOCKS) {
    const value = run[key]
    const isEmpty = typeof value === 'object' && (value === null || Object.keys(value).length === 0)
    if (key === 'error' || (isEmpty && key !== 'input')) continue
    lines.push('', key, indented(JSON.stringify(value, null, 2), 2))
  }
  if (error) lines.push('', 'error', indented(error.stack ?? `${error.name}: ${error.message}`, 2))
  if (attempts.length > 0) lines.push('', 'attempts', indented(tableOf(attemptRows(attempts)), 2))
  if (logs.length > 0) lines.push('', 'logs', ...logs.map((line) => indented(lineOf(line), 2)))
  return lines.join('\n')
}

function attemptRows(attempts: readonly AttemptDocument[]): string[][] {
  return [
    ['TRY', 'OUTCOME', 'WORKER', 'STARTED', 'FINISHED', 'ERROR', 'AGAIN AT'],
    ...attempts.map(({ attempt, outcome, worker, started_at, finished_at, error, retry_at }) => {
      const { name, message } = (error ?? {}) as { name?: string; message?: string }
      const why = name === undefined ? '-' : `${name}: ${message}`
      return [attempt, outcome, worker, started_at, finished_at, why, retry_at].map(cell)
    }),
  ]
}

/** One line, or as many as its message has. */
function lineOf({ at, attempt, level, message, data }: LogDocument): string {
  const beside = data === null || data === undefined ? '' : ` ${JSON.stringify(data)}`
  const again = attempt > 1 ? ` [try ${attempt}]` : ''
  return indented(`${at} ${level.padEnd(5)}${again} ${message}${beside}`, 0)
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  if (Array.isArray(value)) return value.join(', ') || '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
