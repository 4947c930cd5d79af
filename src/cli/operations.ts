/**
 * `rowbeat operations`: how far they are, as a table; one of them by its id, which can be waited for or stopped. A command
 * that began one answers and waits in the same words.
 */
import { PROCESS } from '../auth/scopes.ts'
import { monotonicMs, sleep } from '../clock.ts'
import { createOperationControl, type OperationControl } from '../control/operations.ts'
import { createRunControl } from '../control/runs.ts'
import { ConfigError } from '../errors.ts'
import { OPERATION_STATES, type OperationDocument } from '../queue/operation.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { tableOf } from './table.ts'
import { EXIT, say, tell } from './words.ts'

export interface OperationsFlags extends Flags {
  stop?: boolean
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
  state?: string
  limit?: number
}

const LOOK_MS = 200

export async function operations(id: string | undefined, flags: OperationsFlags): Promise<number> {
  const { state, limit = 20, stop, wait, timeout } = flags
  if (id === undefined && (stop || wait || timeout !== undefined))
    throw new ConfigError('Name the operation: `rowbeat operations <id>`.')
  if (state !== undefined && !OPERATION_STATES.some((known) => known === state))
    throw new ConfigError(`--state: "${state}" is no state; use ${OPERATION_STATES.join(', ')}.`)
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createOperationControl(rowbeat, createRunControl(rowbeat))
    if (id !== undefined) {
      if (stop) return tellOperation(await control.stop(PROCESS, id), json)
      if (wait || timeout !== undefined) return await followOperation(control, id, timeout ?? 60_000, json)
      return tellOperation(await control.read(PROCESS, id), json)
    }
    const { items, before } = await control.list(PROCESS, { state, limit })
    if (json) say({ items, next: before })
    else if (items.length === 0) tell('No operations match.')
    else say(tableOf(rowsOf(items)))
    return EXIT.done
  })
}

/** Of one that was just begun: its id is the data. */
export function answerOperation(begun: OperationDocument, json: boolean): number {
  say(json ? begun : begun.id)
  if (!json) tell(`Workers work it off; \`rowbeat operations ${begun.id}\` shows how far they are.`)
  return EXIT.done
}

/** Waits for its end, and says how far it is once a second. */
export async function followOperation(
  control: OperationControl,
  id: string,
  timeoutMs: number,
  json: boolean,
): Promise<number> {
  const deadline = monotonicMs() + timeoutMs
  let tellAt = monotonicMs() + 1000
  for (;;) {
    const operation = await control.read(PROCESS, id)
    if (operation.state !== 'running') return tellOperation(operation, json)
    if (monotonicMs() >= deadline) {
      tellOperation(operation, json)
      return EXIT.timedOut
    }
    if (monotonicMs() >= tellAt) {
      tell(wordsOf(operation))
      tellAt = monotonicMs() + 1000
    }
    await sleep(Math.min(LOOK_MS, Math.max(1, deadline - monotonicMs())))
  }
}

function tellOperation(operation: OperationDocument, json: boolean): number {
  say(json ? operation : wordsOf(operation))
  return operation.state === 'failed' || operation.failed > 0 ? EXIT.failed : EXIT.done
}

function wordsOf({ kind, state, done, total, skipped, failed, error }: OperationDocument): string {
  const beside = [
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(error === null ? [] : [`last fault: ${error}`]),
  ]
  const counted = `${kind}: ${done}${total === null ? '' : ` of ${state === 'done' ? '' : 'about '}${total}`} runs, ${state}`
  return [counted, ...beside].join('; ')
}

function rowsOf(items: readonly OperationDocument[]): string[][] {
  return [
    ['ID', 'KIND', 'FILTER', 'STATE', 'DONE', 'BY', 'CREATED'],
    ...items.map((operation) => [
      operation.id,
      operation.kind,
      JSON.stringify(operation.filter),
      operation.percent === null || operation.state === 'done'
        ? operation.state
        : `${operation.state} (${operation.percent} %)`,
      String(operation.done),
      operation.created_by,
      operation.created_at,
    ]),
  ]
}
