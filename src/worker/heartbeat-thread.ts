/**
 * The heart: a thread of its own with one connection of its own, so that a handler that blocks the event loop does not
 * make a living worker look dead. It repeats what the main thread last told it; when its UPDATE finds no row, this
 * worker was declared dead and the main thread is told so.
 *
 * It answers one command itself: to dump the stack of the main thread, which may be too busy to answer any.
 */
import { parentPort, workerData } from 'node:worker_threads'
import pg from 'pg'
import { monotonicMs, nowMs } from '../clock.ts'
import { nodePostgresAddress } from '../db/address.ts'
import { toQueryable } from '../db/handle.ts'
import { writeDump } from '../db/statements/control.ts'
import { beatWorker, type Beat } from '../db/statements/workers.ts'
import type { FromThread, ThreadData, ToThread } from './heartbeat.ts'
import { readMainStack } from './stack.ts'

/** The main thread tells twice a second; one that was silent for longer is blocked. */
const SILENT_MS = 1000
const PAUSE_MS = 3000
/** A tick may come early by so much, on a busy machine; the next would be half a second late. */
const SLACK_MS = 250

const { url, id: firstId, everyMs } = workerData as ThreadData
const port = parentPort!
const state = {
  id: firstId,
  beat: null as Beat | null,
  dirty: true,
  /** The worst that was told since the last beat: between two beats the main thread tells twice. */
  lagMs: 0,
  announced: 0,
  skewMs: 0,
  busy: false,
  again: false,
  ending: false,
  /** When the last sign of life was begun. */
  beganAt: -Infinity,
  /** When the main thread last told anything. */
  toldAt: monotonicMs(),
  /** Commands that are answered or being answered. */
  dumped: new Set<string>(),
}
const holder: { client: pg.Client | null } = { client: null }

const tell = (message: FromThread): void => port.postMessage(message)

async function connected(): Promise<pg.Client> {
  if (holder.client) return holder.client
  const client = new pg.Client({
    ...nodePostgresAddress(url),
    application_name: 'rowbeat heartbeat',
    connectionTimeoutMillis: 3000,
    query_timeout: 3000,
    keepAlive: true,
  })
  client.on('error', () => drop(client))
  await client.connect()
  holder.client = client
  return client
}

function drop(client: pg.Client): void {
  if (holder.client === client) holder.client = null
  client.end().catch(() => {})
}

async function beat(): Promise<void> {
  if (state.busy || !state.beat) {
    state.again = state.busy
    return
  }
  state.busy = true
  state.beganAt = monotonicMs()
  const { beat: told, announced, dirty, id } = state
  const { lagMs } = state
  state.dirty = false
  state.lagMs = 0
  let client: pg.Client | null = null
  try {
    client = await connected()
    const sent = monotonicMs()
    const answer = await beatWorker(toQueryable(client), id, {
      ...told!,
      running: dirty ? told!.running : null,
      loopLagMs: lagMs,
      skewMs: state.skewMs,
    })
    const took = monotonicMs() - sent
    if (answer) state.skewMs = Math.round(answer.nowMs - (nowMs() - took / 2))
    if (answer) {
      tell({ kind: 'alive', id, sentAt: sent, announced, revoked: answer.revoked, digest: answer.digest })
      for (const command of answer.dumps) void dump(command)
    } else tell({ kind: 'dead', id })
  } catch (error) {
    state.dirty = true
    state.lagMs = Math.max(state.lagMs, lagMs)
    if (client) drop(client)
    tell({ kind: 'trouble', message: (error as Error).message })
  }
  state.busy = false
  if (state.again) {
    state.again = false
    setImmediate(() => void beat())
  }
}

async function dump(command: string): Promise<void> {
  if (state.dumped.has(command)) return
  state.dumped.add(command)
  const silentMs = monotonicMs() - state.toldAt
  const blocked_ms = silentMs > SILENT_MS ? Math.round(silentMs) : 0
  try {
    const stack = await readMainStack(PAUSE_MS)
    const note =
      stack === null ? { note: 'the main thread is not in JavaScript, so it has no stack now' } : {}
    await writeDump(toQueryable(await connected()), command, state.id, { blocked_ms, stack, ...note })
  } catch (error) {
    tell({ kind: 'trouble', message: `dumping the stack: ${(error as Error).message}` })
  }
}

/**
 * The main thread tells twice a second, and what it told is written at once where a beat is due: so a run that began is in the list
 * within a second of its start. This timer beats for a main thread that is busy and tells nothing.
 */
const timer = setInterval(() => {
  if (monotonicMs() - state.beganAt >= everyMs / 2) void beat()
}, everyMs)
const isDue = (): boolean => monotonicMs() - state.beganAt >= everyMs - SLACK_MS

port.on('message', (message: ToThread) => {
  if (message.kind === 'end') {
    clearInterval(timer)
    state.ending = true
    if (holder.client) void holder.client.end().catch(() => {})
    port.close()
    return
  }
  state.toldAt = monotonicMs()
  if (message.kind === 'dump') return void dump(message.command)
  state.id = message.id
  // What was told and not yet written stays to be written: an unchanged list is not told again.
  state.beat = { ...message.beat, running: message.beat.running ?? state.beat?.running ?? null }
  state.lagMs = Math.max(state.lagMs, message.beat.loopLagMs)
  state.dirty ||= message.changed
  state.announced = message.announce
  if (message.now || isDue()) void beat()
})
