/**
 * What may be done with queues, for REST, panel and command line alike: each verb checks the caller's scope, then acts.
 *
 * A queue needs no row until something is said of it: what has runs or is served is known. To say a limit makes the row, and
 * the row is the truth: it is edited live, by anybody, in SQL too, and what follows from an edit the database does. So the verbs here
 * are thin, and the last who writes a limit has it.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable, type Queryable } from '../db/handle.ts'
import {
  deleteQueue,
  drainQueue,
  insertQueue,
  pauseQueue,
  resumeQueue,
  updateQueue,
  type QueueLimits,
} from '../db/statements/queue-edits.ts'
import { listQueues, readQueue, type QueueDocument } from '../db/statements/queue-figures.ts'
import { QueueError } from '../errors.ts'
import { beginOperation, readDocument, type OperationDocument } from '../queue/operation.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { QUEUE_NAME } from '../tasks/options.ts'
import { acting, type Deed } from './acting.ts'
import { explained } from './explained.ts'
import { createMemo } from './memo.ts'
import {
  HOT_LIMIT,
  readChanges,
  readLimits,
  refuseQueue,
  type Move,
  type Purge,
  type QueuePause,
} from './queue-draft.ts'

export type { QueueDocument } from '../db/statements/queue-figures.ts'

/** Each verb throws AccessError and QueueError; all but `define` RB_QUEUE_NOT_FOUND. */
export interface QueueControl {
  /** By name. */
  list(caller: Caller): Promise<QueueDocument[]>
  read(caller: Caller, name: string): Promise<QueueDocument>
  /** Makes the queue, or sets all its limits anew: what is left out is no limit. Throws RB_QUEUE_INVALID. */
  define(caller: Caller, name: string, body: unknown): Promise<{ queue: QueueDocument; isNew: boolean }>
  /** Only what is given; null takes a limit away. Throws RB_QUEUE_INVALID. */
  edit(caller: Caller, name: string, body: unknown): Promise<QueueDocument>
  /** Of one that is paused: says anew why and until when. Throws RB_QUEUE_INVALID when that is past. */
  pause(caller: Caller, name: string, pause: QueuePause): Promise<QueueDocument>
  /** Ends a pause or a drain. */
  resume(caller: Caller, name: string): Promise<QueueDocument>
  /** Throws RB_QUEUE_PAUSED. */
  drain(caller: Caller, name: string): Promise<QueueDocument>
  /** Revokes what waits. */
  purge(caller: Caller, name: string, purge: Purge): Promise<OperationDocument>
  /** Takes what waits to another queue. */
  move(caller: Caller, name: string, move: Move): Promise<OperationDocument>
  /** Throws RB_QUEUE_IN_USE while runs are on it or a worker serves it. Answers it as it was. */
  remove(caller: Caller, name: string): Promise<QueueDocument>
}

/** Counting a million that wait takes a tenth of a second: it takes one part of the time in so many. */
const SHARE = 50

export function createQueueControl(rowbeat: Rowbeat): QueueControl {
  const db = toQueryable(rowbeat.db)
  const memo = createMemo<QueueDocument[]>(SHARE)
  // Who has just changed something here must not be told how it was.
  let deeds = 0
  const act = async <T>(caller: Caller, deed: Deed, work: (db: Queryable) => Promise<T>): Promise<T> =>
    await acting(rowbeat.db, caller, deed, (inside) => work(inside.db)).finally(() => deeds++)

  const require = async (name: string): Promise<QueueDocument> => {
    const queue = QUEUE_NAME.test(name) ? await readQueue(db, name) : null
    if (queue) return queue
    throw unknownQueue(name)
  }
  /** Of a queue that is known, with a row from now on. */
  const change = async (
    caller: Caller,
    name: string,
    deed: Deed,
    work: (db: Queryable, queue: QueueDocument) => Promise<unknown>,
  ): Promise<QueueDocument> => {
    const queue = await require(name)
    await act(caller, deed, (inside) => work(inside, queue))
    return await require(name)
  }

  const verbs: QueueControl = {
    async list(caller) {
      requireScope(caller, 'queues:read')
      return await memo(String(deeds), () => listQueues(db))
    },
    async read(caller, name) {
      requireScope(caller, 'queues:read')
      return await require(name)
    },
    async define(caller, name, body) {
      requireScope(caller, 'queues:write')
      if (!QUEUE_NAME.test(name))
        throw refuseQueue([{ pointer: '/name', detail: `must match ${QUEUE_NAME.source}` }])
      const limits = readLimits(body)
      const isNew = await acting(rowbeat.db, caller, { action: 'queue.define' }, async (inside) => {
        const made = await insertQueue(inside.db, name)
        await updateQueue(inside.db, name, limits)
        // A row without a limit is none of those that the triggers write down.
        if (made && !hasLimits(limits))
          await inside.note({ action: 'queue.define', targetKind: 'queue', target: name, after: { name } })
        return made
      }).finally(() => deeds++)
      return { queue: await require(name), isNew }
    },
    async edit(caller, name, body) {
      requireScope(caller, 'queues:write')
      return await change(caller, name, {}, async (inside, queue) => {
        const changes = readChanges(body, queue)
        await insertQueue(inside, name)
        await updateQueue(inside, name, changes)
      })
    },
    async pause(caller, name, { reason, until }) {
      requireScope(caller, 'queues:write')
      const deed = { action: 'queue.pause', reason }
      return await change(caller, name, deed, (inside) => pauseQueue(inside, name, reason, until))
    },
    async resume(caller, name) {
      requireScope(caller, 'queues:write')
      return await change(caller, name, { action: 'queue.resume' }, (inside) => resumeQueue(inside, name))
    },
    async drain(caller, name) {
      requireScope(caller, 'queues:write')
      return await change(caller, name, { action: 'queue.drain' }, (inside) => drainQueue(inside, name))
    },
    async purge(caller, name, purge) {
      requireScope(caller, 'queues:write')
      await require(name)
      const id = await act(caller, { action: 'queue.purge', reason: purge.reason }, (inside) =>
        beginOperation(inside, 'purge', { queue: name }, { ...purge }, caller.name),
      )
      return await readDocument(db, id)
    },
    async move(caller, name, move) {
      requireScope(caller, 'queues:write')
      await require(name)
      const id = await act(caller, { action: 'queue.move' }, (inside) =>
        beginOperation(inside, 'move', { queue: name }, { ...move }, caller.name),
      )
      return await readDocument(db, id)
    },
    async remove(caller, name) {
      requireScope(caller, 'queues:write')
      const queue = await require(name)
      // What waits for a time of its own would not be lost, but would keep the queue in the list.
      const isEmpty = Object.values(queue.waiting).every((count) => count === 0)
      if (isEmpty && (await act(caller, {}, (inside) => deleteQueue(inside, name)))) return queue
      const { workers } = await require(name)
      const served = workers.map((worker) => worker.name).join(', ')
      const why = served
        ? `is served by ${served}: stop that first`
        : 'has runs that wait or run: purge it, or move them to another'
      throw new QueueError('RB_QUEUE_IN_USE', `Queue "${name}" ${why}.`)
    },
  }
  return explained(verbs, (error, given) => explainQueueRefusal(error, String(given[1])))
}

function hasLimits({ concurrency, rate, hot_limit }: QueueLimits): boolean {
  return concurrency !== null || rate !== null || hot_limit !== HOT_LIMIT
}

function unknownQueue(name: string): QueueError {
  return new QueueError(
    'RB_QUEUE_NOT_FOUND',
    `No queue is named ${JSON.stringify(name)}: it was not defined, no worker serves it, and no run is on it.`,
  )
}

function explainQueueRefusal(error: unknown, name: string): unknown {
  const { code, message } = error as { code?: string; message: string }
  if (code === 'P0002') return unknownQueue(name)
  const words = `${message[0]?.toUpperCase()}${message.slice(1)}.`
  if (code === '55006') return new QueueError('RB_QUEUE_IN_USE', words, [], { cause: error })
  if (code === '55000') return new QueueError('RB_QUEUE_PAUSED', words, [], { cause: error })
  if (code !== '22023') return explainDatabaseError(error)
  const [, column = '', detail = message] = /^([a-z_]+): (.*)$/s.exec(message) ?? []
  return refuseQueue([{ pointer: column && `/${column}`, detail }])
}
