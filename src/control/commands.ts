/**
 * Tells workers what to do and hears what they answer, for REST, panel and command line alike. A command is a row, and so
 * is each answer: whoever gives one waits until every live worker that it is for has answered, or as long as he likes.
 * A setting holds whether anybody answers or not.
 */
import { requireScope, type Caller, type Scope } from '../auth/scopes.ts'
import { monotonicMs, sleep } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import {
  giveCommand,
  inspectRows,
  readCommand,
  type CommandRecord,
  type Inspected,
} from '../db/statements/control.ts'
import { ControlError } from '../errors.ts'
import { findUnstorable } from '../json.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { acting } from './acting.ts'

export type { CommandRecord, Inspected, Reply } from '../db/statements/control.ts'

/** What rows know of workers and of the store, without asking anybody. */
export const INSPECTIONS = [
  'active',
  'active_queues',
  'registered',
  'report',
  'reserved',
  'revoked',
  'scheduled',
  'stats',
] as const

/** What holds until another word: a worker that is down takes it up when it is back under its name. */
export const SETTINGS = [
  'add_queue',
  'autoscale',
  'cancel_queue',
  'quiet',
  'rate_limit',
  'reset',
  'set_concurrency',
  'time_limit',
  'unquiet',
] as const

/** What live workers are asked once. */
export const QUESTIONS = ['dump_stacks', 'ping', 'report', 'reserved', 'shutdown', 'stats'] as const

/** Answered by looking only. */
const HARMLESS: readonly string[] = ['ping', 'report', 'reserved', 'stats']

const LOOK_MS = 25
const LOOK_MAX_MS = 200
/** For what the first workers wait; a worker that missed the notification looks within a second. */
const TIMEOUT_MS = 2000

export interface CommandRequest {
  command: string
  args?: Record<string, unknown>
  /** Names; null, the default, is all. */
  workers?: readonly string[] | null
  /** How long to wait for answers; default 2 s, 0 does not wait. */
  timeoutMs?: number
}

export interface CommandControl {
  /**
   * Gives a command and waits for the answers of live workers; `awaited` names those that did not answer in time. Needs
   * workers:write, or for what only looks workers:read. Throws ControlError: RB_CONTROL_INVALID with the fault,
   * RB_WORKER_NOT_FOUND when a question is for names of which none is live.
   */
  control(caller: Caller, request: CommandRequest): Promise<CommandRecord>
  /** Throws ControlError RB_COMMAND_NOT_FOUND. */
  read(caller: Caller, id: string): Promise<CommandRecord>
  /** One of INSPECTIONS; throws ControlError RB_CONTROL_INVALID for another. */
  inspect(caller: Caller, what: string, workers?: readonly string[] | null): Promise<Inspected[]>
}

export function createCommandControl(rowbeat: Pick<Rowbeat, 'db'>): CommandControl {
  const db = toQueryable(rowbeat.db)
  const find = async (id: string): Promise<CommandRecord> => {
    const record = await readCommand(db, id).catch(refuse)
    if (record) return record
    throw new ControlError(
      'RB_COMMAND_NOT_FOUND',
      `Command ${id} is unknown: it was never given, or over an hour ago.`,
    )
  }
  return Object.freeze({
    async control(caller: Caller, { command, args = {}, workers = null, timeoutMs }: CommandRequest) {
      requireScope(caller, scopeOf(command))
      refuseUnstorable({ command, args, workers })
      const until = monotonicMs() + (timeoutMs ?? TIMEOUT_MS)
      // What only looks leaves no mark.
      const id = await (
        HARMLESS.includes(command)
          ? giveCommand(db, command, args, workers)
          : acting(rowbeat.db, caller, { action: `control.${command}` }, (inside) =>
              giveCommand(inside.db, command, args, workers),
            )
      ).catch(refuse)
      let record = await find(id)
      for (let ms = LOOK_MS; record.awaited.length > 0; ms = Math.min(LOOK_MAX_MS, ms * 1.5)) {
        const left = until - monotonicMs()
        if (left <= 0) break
        await sleep(Math.min(ms, left))
        record = await find(id)
      }
      return record
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'workers:read')
      return await find(id)
    },
    async inspect(caller: Caller, what: string, workers: readonly string[] | null = null) {
      requireScope(caller, 'workers:read')
      refuseUnstorable({ what, workers })
      return await inspectRows(db, what, workers).catch(refuse)
    },
  })
}

function scopeOf(command: string): Scope {
  return HARMLESS.includes(command) ? 'workers:read' : 'workers:write'
}

/** Throws RB_CONTROL_INVALID for what PostgreSQL cannot be told. */
function refuseUnstorable(asked: Readonly<Record<string, unknown>>): void {
  const fault = findUnstorable(asked, '')
  if (fault) throw new ControlError('RB_CONTROL_INVALID', `${fault.pointer} ${fault.detail}.`, [fault])
}

/** What the functions in SQL refuse, as an error with a pointer to the place. */
function refuse(error: unknown): never {
  const { code = '', message } = error as { code?: string; message: string }
  if (code === 'P0002') {
    throw new ControlError('RB_WORKER_NOT_FOUND', `${sentence(message)}.`, [], { cause: error })
  }
  if (code !== '22023') throw explainDatabaseError(error)
  const [, place = '', words = message] = /^([a-z_]+): (.*)$/s.exec(message) ?? []
  const pointer = OUTER.includes(place) ? `/${place}` : `/args/${place}`
  throw new ControlError('RB_CONTROL_INVALID', `${pointer} ${words}.`, [{ pointer, detail: words }], {
    cause: error,
  })
}

/** What is not an argument of a command. */
const OUTER: readonly string[] = ['command', 'args', 'workers', 'what']

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
