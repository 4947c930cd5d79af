/**
 * `rowbeat purge <queue…>` or `--all`: Celery's purge. What waits is counted and told first, and a terminal is asked. It needs no
 * worker: this process works the operations off itself, beside whoever else does. What was revoked leaves results, so it can be
 * looked at, and retried.
 */
import { PROCESS } from '../auth/scopes.ts'
import { monotonicMs, sleep } from '../clock.ts'
import { createOperationControl } from '../control/operations.ts'
import { createQueueControl, type QueueDocument } from '../control/queues.ts'
import { readPurge } from '../control/queue-draft.ts'
import { createRunControl } from '../control/runs.ts'
import { toQueryable } from '../db/handle.ts'
import { workOperations } from '../dispatcher/operations.ts'
import { ConfigError } from '../errors.ts'
import type { OperationDocument } from '../queue/operation.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { consent } from './queues/change.ts'
import { EXIT, say, tell } from './words.ts'

export interface PurgeFlags extends Flags {
  all?: boolean
  yes?: boolean
  reason?: string
  /** Milliseconds. */
  timeout?: number
}

const LOOK_MS = 100

export async function purge(names: readonly string[], flags: PurgeFlags): Promise<number> {
  if (names.length === 0 && !flags.all) throw new ConfigError('Name the queues to purge, or give --all.')
  if (names.length > 0 && flags.all) throw new ConfigError('Give either names of queues or --all.')
  const given = readPurge({ reason: flags.reason })
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createQueueControl(rowbeat)
    const asked = flags.all
      ? await control.list(PROCESS)
      : await Promise.all([...new Set(names)].map((name) => control.read(PROCESS, name)))
    const queues = asked.filter((queue) => countOf(queue) > 0)
    const total = queues.reduce((sum, queue) => sum + countOf(queue), 0)
    if (queues.length === 0) return answer(0, [], json)
    const least = queues.some(({ capped }) => capped) ? 'at least ' : ''
    tell(`${least}${total} wait: ${queues.map((queue) => `${countOf(queue)} on ${queue.name}`).join(', ')}.`)
    await consent(flags, 'Revoke them all?')
    const begun: string[] = []
    for (const { name } of queues) begun.push((await control.purge(PROCESS, name, given)).id)
    return answer(total, await workOff(rowbeat, begun, flags.timeout ?? null), json)
  })
}

/** Until all of them are done, or the time is over; with a deadline they go on without us. */
async function workOff(
  rowbeat: Rowbeat,
  ids: readonly string[],
  timeoutMs: number | null,
): Promise<OperationDocument[]> {
  const control = createOperationControl(rowbeat, createRunControl(rowbeat))
  const deadline = timeoutMs === null ? Number.POSITIVE_INFINITY : monotonicMs() + timeoutMs
  for (;;) {
    const more = await workOperations(toQueryable(rowbeat.db))
    const all = await Promise.all(ids.map((id) => control.read(PROCESS, id)))
    if (all.every(({ state }) => state !== 'running') || monotonicMs() >= deadline) return all
    // Another worker has the step in hand, or one was put off.
    if (!more) await sleep(LOOK_MS)
  }
}

function answer(waiting: number, operations: readonly OperationDocument[], json: boolean): number {
  const revoked = operations.reduce((sum, { done }) => sum + done, 0)
  const faults = operations.filter(({ state, failed }) => state === 'failed' || failed > 0)
  const isLate = operations.some(({ state }) => state === 'running')
  if (json) say({ waiting, revoked, operations })
  else if (operations.length === 0) tell('Nothing waits there.')
  else say(`${revoked} revoked`)
  for (const { filter, error } of faults)
    tell(`rowbeat: not all of ${String(filter.queue)}: ${error ?? 'see `rowbeat operations`'}.`)
  if (isLate) tell('Not done in time: workers go on with it; `rowbeat operations` shows how far they are.')
  if (faults.length > 0) return EXIT.failed
  return isLate ? EXIT.timedOut : EXIT.done
}

/** All that waits; what an eta or a retry holds back too. */
function countOf({ waiting }: QueueDocument): number {
  return Object.values(waiting).reduce((sum, n) => sum + n, 0)
}
