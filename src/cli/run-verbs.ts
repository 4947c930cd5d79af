/**
 * `rowbeat revoke|retry|reschedule|delete`: runs that are named by id, one after the other; or an operation on all that
 * match the flags. stdout has what came of it: states, the ids of new runs, the id of the operation.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createOperationControl, type OperationControl } from '../control/operations.ts'
import { createRunControl, type RunControl } from '../control/runs.ts'
import { isUuid } from '../check.ts'
import { ConfigError, ResultError } from '../errors.ts'
import { parseDuration } from '../duration.ts'
import { isInstant } from '../instant.ts'
import type { RunDocument } from '../results/run.ts'
import type { RescheduleTime } from '../results/verbs.ts'
import { withRowbeat } from './database.ts'
import { answerOperation, followOperation } from './operations.ts'
import { readSettings, type Flags } from './options.ts'
import { EXIT, say } from './words.ts'

export interface BulkFlags extends Flags {
  state?: string
  stateReason?: string
  task?: string
  queue?: string
  tag?: string[]
  query?: string
  schedule?: string
  createdBefore?: string
  createdAfter?: string
  all?: boolean
  throttle?: number
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
}

type One = (runs: RunControl, id: string) => Promise<RunDocument | null>

export async function revoke(
  ids: string[],
  flags: BulkFlags & { terminate?: boolean; reason?: string },
): Promise<number> {
  const { terminate, reason } = flags
  const one: One = (runs, id) => runs.revoke(PROCESS, id, { terminate, reason })
  return await doTo(ids, flags, { kind: 'revoke', options: { terminate, reason }, one })
}

export async function retry(ids: string[], flags: BulkFlags & { input?: string }): Promise<number> {
  const input = flags.input === undefined ? {} : { input: parseInput(flags.input) }
  const one: One = async (runs, id) => (await runs.retry(PROCESS, id, input)).run
  return await doTo(ids, flags, { kind: 'retry', options: input, one })
}

export async function reschedule(
  ids: string[],
  flags: BulkFlags & { eta?: string; delay?: string },
): Promise<number> {
  const time = timeFrom(flags)
  const one: One = (runs, id) => runs.reschedule(PROCESS, id, time)
  return await doTo(ids, flags, { kind: 'reschedule', options: { ...time }, one })
}

export async function remove(ids: string[], flags: BulkFlags): Promise<number> {
  const one: One = async (runs, id) => {
    await runs.delete(PROCESS, id)
    return null
  }
  return await doTo(ids, flags, { kind: 'delete', options: {}, one })
}

interface Doing {
  kind: string
  options: Record<string, unknown>
  /** To one run; null when it is no more. */
  one: One
}

async function doTo(ids: readonly string[], flags: BulkFlags, doing: Doing): Promise<number> {
  const filter = filterFrom(flags)
  const filtered = Object.keys(filter).length > 0
  if (ids.length > 0 === filtered)
    throw new ConfigError(
      'Name runs by their ids, or say which by flags such as --task and --state (--all for all of them): one of the two.',
    )
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const runs = createRunControl(rowbeat)
    if (filtered) return await doToMany(createOperationControl(rowbeat, runs), filter, flags, doing, json)
    const after: (RunDocument | null)[] = []
    for (const id of ids) {
      if (!isUuid(id))
        throw new ResultError('RB_RUN_NOT_FOUND', `No run has the id "${id}", which is no UUID.`)
      const run = await doing.one(runs, id.toLowerCase())
      after.push(run)
      if (!json && run) say(run.id === id.toLowerCase() ? run.state : run.id)
    }
    if (json) say(ids.length === 1 ? after[0] : { items: after })
    return EXIT.done
  })
}

async function doToMany(
  operations: OperationControl,
  filter: Record<string, unknown>,
  flags: BulkFlags,
  { kind, options }: Doing,
  json: boolean,
): Promise<number> {
  const given = { ...options, throttle: flags.throttle }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const begun = await operations.start(PROCESS, { kind, filter, options: known })
  if (flags.wait || flags.timeout !== undefined)
    return await followOperation(operations, begun.id, flags.timeout ?? 60_000, json)
  return answerOperation(begun, json)
}

function filterFrom(flags: BulkFlags): Record<string, unknown> {
  const filter = {
    state: flags.state?.toUpperCase().replaceAll(' ', ''),
    reason: flags.stateReason,
    task: flags.task,
    queue: flags.queue,
    tag: flags.tag,
    q: flags.query,
    schedule: flags.schedule,
    created_before: flags.createdBefore,
    created_after: flags.createdAfter,
    all: flags.all,
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

function timeFrom({ eta, delay }: { eta?: string; delay?: string }): RescheduleTime {
  if ((eta === undefined) === (delay === undefined))
    throw new ConfigError('Say when: --eta with an instant, or --delay with a duration.')
  if (eta !== undefined) {
    if (isInstant(eta)) return { eta }
    throw new ConfigError(`--eta is "${eta}": give an instant such as 2026-01-31T12:00:00Z.`)
  }
  const ms = parseDuration(delay)
  if (ms !== null) return { delay: ms / 1000 }
  throw new ConfigError(`--delay is "${delay}": give seconds, or text such as "30s", "10 minutes".`)
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(
      `--input is not JSON (${(cause as Error).message}): write it as in '{"x": 1, "y": 2}'.`,
      { cause },
    )
  }
}
