/**
 * Many runs asked for at once: all of them are made, or none, in one statement. Whatever is wrong with any of them is
 * told at once, each place by its number in the batch.
 */
import { isDeepStrictEqual } from 'node:util'
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import { EnqueueError, type Fault } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { readDocuments } from './run-reader.ts'
import type { RunControl, RunRequest } from './runs.ts'

export const BATCH_MAX = 1000
/** Faults that are told: whoever made the same mistake a thousand times learns it from the first. */
const FAULTS_MAX = 100

/** What became of one of them. */
export interface BatchedRun {
  id: string
  /** False when it stood already: a known id, a key that is held. */
  created: boolean
  task: string
}

/** A run of the batch, with what was found wrong about it outside of its input. */
export interface BatchItem {
  request: RunRequest
  faults: readonly Fault[]
}

/** In the order of `items`. Throws EnqueueError with pointers such as /runs/3/input/x, and then nothing was written. */
export async function enqueueBatch(
  rowbeat: Rowbeat,
  control: RunControl,
  caller: Caller,
  items: readonly BatchItem[],
): Promise<BatchedRun[]> {
  requireScope(caller, 'runs:write')
  const faults: Fault[] = []
  let code = 'RB_OPTION_INVALID'
  const unknown = new Map<string, EnqueueError>()
  const bodies = []
  for (const [index, { request, faults: own }] of items.entries()) {
    const { task, input, options } = request
    const add = (found: readonly Fault[]): void =>
      void faults.push(...found.map((fault) => ({ ...fault, pointer: `/runs/${index}${fault.pointer}` })))
    add(own)
    try {
      const stranger = unknown.get(task)
      if (stranger) throw stranger
      // To prepare the run of a task that is known here is to check its input.
      const isChecked = own.length === 0 && rowbeat.tasks.has(task)
      if (task !== '' && !isChecked) await control.checkInput(task, input)
      if (own.length === 0) bodies.push(await rowbeat.prepare(task, input, options))
    } catch (error) {
      if (!(error instanceof EnqueueError)) throw error
      if (error.code === 'RB_TASK_UNKNOWN') unknown.set(task, error)
      if (faults.length === 0) code = error.code
      add(error.faults)
    }
  }
  if (faults.length > 0) throw refuseBatch(code, faults)
  const sent = await rowbeat.send(bodies).catch((error: unknown) => {
    if (!(error instanceof EnqueueError)) throw error
    // What PostgreSQL says of one of many has its number in front already.
    const front = items.length > 1 ? '/runs' : '/runs/0'
    throw refuseBatch(
      error.code,
      error.faults.map((fault) => ({ ...fault, pointer: `${front}${fault.pointer}` })),
      error,
    )
  })
  if (sent.every(({ created }) => !created)) await refuseReused(rowbeat, items, sent)
  return sent.map(({ id, created }, index) => ({ id, created, task: items[index]!.request.task }))
}

/** Nothing was made: a batch that was sent before, or one that takes the keys of another. The second has a fault that an answer would hide. */
async function refuseReused(
  rowbeat: Rowbeat,
  items: readonly BatchItem[],
  sent: readonly { id: string }[],
): Promise<void> {
  const keyed = items.flatMap(({ request }, index) =>
    request.options.idempotencyKey === undefined ? [] : [{ index, request, id: sent[index]!.id }],
  )
  const runs = await readDocuments(
    toQueryable(rowbeat.db),
    keyed.map(({ id }) => id),
  ).catch((error: unknown) => {
    throw explainDatabaseError(error)
  })
  const isOther = ({ id, request: { input = {} } }: (typeof keyed)[number]): boolean =>
    runs.has(id) && !isDeepStrictEqual(runs.get(id)!.input, JSON.parse(JSON.stringify(input)))
  const detail = 'is another than was sent with this idempotency key before'
  const faults = keyed
    .filter(isOther)
    .map(({ index }): Fault => ({ pointer: `/runs/${index}/input`, detail }))
  if (faults.length > 0) throw refuseBatch('RB_IDEMPOTENCY_REUSED', faults)
}

function refuseBatch(code: string, faults: readonly Fault[], cause?: EnqueueError): EnqueueError {
  const [first] = faults
  const words = first ? `${first.pointer} ${first.detail}` : cause!.message
  const others = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
  return new EnqueueError(code, `The batch is refused: ${words}${others}.`, faults.slice(0, FAULTS_MAX), {
    cause,
  })
}
