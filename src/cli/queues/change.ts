/**
 * Commands that change queues: define, set, pause, resume, drain, purge, move, remove. What cannot be taken back is asked for at a
 * terminal; without one, it needs --yes.
 */
import { createInterface } from 'node:readline/promises'
import { PROCESS } from '../../auth/scopes.ts'
import { createOperationControl } from '../../control/operations.ts'
import { readMove, readPurge } from '../../control/queue-draft.ts'
import type { QueueDocument } from '../../control/queues.ts'
import { createRunControl } from '../../control/runs.ts'
import { ConfigError } from '../../errors.ts'
import type { OperationDocument } from '../../queue/operation.ts'
import { answerOperation, followOperation } from '../operations.ts'
import type { Flags } from '../options.ts'
import { EXIT, say, tell } from '../words.ts'
import { atDesk, type Desk } from './look.ts'

export interface LimitFlags extends Flags {
  concurrency?: number
  rate?: string
  rateBurst?: number
  hotLimit?: number
  unset?: string[]
}

export async function define(name: string, flags: LimitFlags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const { queue, isNew } = await control.define(PROCESS, name, limitsFrom(flags))
    answer(json, queue, isNew ? 'is made' : 'has its limits anew')
  })
}

export async function set(name: string, flags: LimitFlags): Promise<number> {
  const unset = (flags.unset ?? []).map((limit) => [limit.replaceAll('-', '_'), null])
  const body = { ...limitsFrom(flags), ...(Object.fromEntries(unset) as object) }
  if (Object.keys(body).length === 0)
    throw new ConfigError('Say what to change: `rowbeat queues set --help` lists what can be.')
  return await atDesk(flags, async ({ control, json }) =>
    answer(json, await control.edit(PROCESS, name, body), 'is changed'),
  )
}

export interface PauseFlags extends Flags {
  reason?: string
  /** Milliseconds. */
  for?: number
  until?: string
}

export async function pause(name: string, flags: PauseFlags): Promise<number> {
  const { reason = null, for: span, until } = flags
  if (span !== undefined && until !== undefined) throw new ConfigError('Give either --for or --until.')
  return await atDesk(flags, async ({ control, json }) => {
    const end = span === undefined ? (until ?? null) : span / 1000
    const paused = await control.pause(PROCESS, name, { reason, until: end })
    answer(json, paused, paused.resume_at === null ? 'is paused' : `is paused until ${paused.resume_at}`)
  })
}

export async function resume(name: string, flags: Flags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) =>
    answer(json, await control.resume(PROCESS, name), 'goes on'),
  )
}

export async function drain(name: string, flags: Flags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) =>
    answer(json, await control.drain(PROCESS, name), 'is drained: what comes now waits until it is resumed'),
  )
}

export interface FollowFlags extends Flags {
  yes?: boolean
  reason?: string
  throttle?: number
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
}

export async function purge(name: string, flags: FollowFlags): Promise<number> {
  const given = readPurge({ reason: flags.reason, throttle: flags.throttle })
  return await atDesk(flags, async (desk) => {
    await consent(flags, `Revoke all that waits on ${name}?`)
    return await follow(desk, await desk.control.purge(PROCESS, name, given), flags)
  })
}

export async function move(name: string, to: string, flags: FollowFlags): Promise<number> {
  const given = readMove({ to, throttle: flags.throttle }, name)
  return await atDesk(flags, async (desk) => {
    await consent(flags, `Move all that waits on ${name} to ${to}?`)
    return await follow(desk, await desk.control.move(PROCESS, name, given), flags)
  })
}

export async function remove(name: string, flags: FollowFlags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    await consent(flags, `Forget the queue ${name} and its limits?`)
    answer(json, await control.remove(PROCESS, name), 'is removed')
  })
}

async function follow(
  { rowbeat, json }: Desk,
  begun: OperationDocument,
  flags: FollowFlags,
): Promise<number> {
  const { wait, timeout } = flags
  if (!wait && timeout === undefined) return answerOperation(begun, json)
  const operations = createOperationControl(rowbeat, createRunControl(rowbeat))
  return await followOperation(operations, begun.id, timeout ?? 60_000, json)
}

/** Throws ConfigError when nobody is there to be asked, or who is says no. */
export async function consent({ yes = false }: FollowFlags, question: string): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY) throw new ConfigError(`${question} There is no terminal to ask at: give --yes.`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const said = await terminal.question(`${question} [y/N] `)
    if (!/^y(es)?$/i.test(said.trim())) throw new ConfigError('Nothing was done.')
  } finally {
    terminal.close()
  }
}

function limitsFrom({ concurrency, rate, rateBurst, hotLimit }: LimitFlags): Record<string, unknown> {
  const given = { concurrency, rate, rate_burst: rateBurst, hot_limit: hotLimit }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The document with --json, else a sentence about it. */
function answer(json: boolean, queue: QueueDocument, words: string): number {
  if (json) say(queue)
  else tell(`${queue.name} ${words}.`)
  return EXIT.done
}
