/**
 * `rowbeat result ID`: what the task returned, as JSON; with `--json` the whole run. A failed run tells its error in words
 * and exits 1. A run that is not finished is waited for with `--wait` or `--timeout`, and otherwise counts as timed out.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createRunControl } from '../control/runs.ts'
import { ConfigError, ResultError, RunError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { EXIT, exitCodeOf, say, tell } from './words.ts'

export interface ResultFlags extends Flags {
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

export async function result(id: string, flags: ResultFlags): Promise<number> {
  if (!UUID.test(id)) throw new ConfigError(`"${id}" is no run id, which is a UUID.`)
  const { config, json } = await readSettings(flags)
  const timeoutMs = flags.timeout ?? (flags.wait ? 60_000 : 0)
  return await withRowbeat(config, async (rowbeat) => await tellOutcome(rowbeat, id, { json, timeoutMs }))
}

/** Waits for the run and tells how it ended: the exit code. */
export async function tellOutcome(
  rowbeat: Rowbeat,
  id: string,
  { json, timeoutMs }: { json: boolean; timeoutMs: number },
): Promise<number> {
  const handle = rowbeat.run(null, id)
  try {
    const value = await handle.result({ timeout: timeoutMs / 1000 })
    say(json ? await read(rowbeat, id) : toText(value))
    return EXIT.done
  } catch (error) {
    if (error instanceof RunError) tell(`rowbeat: ${failureWords(id, error)}`)
    else if (isTimeout(error)) tell(`rowbeat: ${lateWords(error.message, timeoutMs)}`)
    else throw error
    if (json) say(await read(rowbeat, id))
    return exitCodeOf(error)
  }
}

function isTimeout(error: unknown): error is ResultError {
  return error instanceof ResultError && error.code === 'RB_RESULT_TIMEOUT'
}

async function read(rowbeat: Rowbeat, id: string): Promise<unknown> {
  return await createRunControl(rowbeat).read(PROCESS, id)
}

function lateWords(message: string, timeoutMs: number): string {
  return timeoutMs > 0
    ? message
    : message.replace(/ and had no result.*$/, ': give --wait to wait for its end.')
}

function failureWords(id: string, { reason, data }: RunError): string {
  const said = data ? `${data.name}: ${data.message}` : 'it left no error'
  return `run ${id} ended as ${reason}: ${said}`.replace(/\s*\n\s*/g, ' ')
}

/** Always JSON, so that a string and a number can be told apart by whoever reads it. */
function toText(value: unknown): string {
  return JSON.stringify(value ?? null, null, 2)
}
