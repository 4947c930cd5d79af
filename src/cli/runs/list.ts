/**
 * `rowbeat runs [query]`: a page of runs, newest first, as a table; with `--json` the documents that REST answers, and the id to
 * go on below. The query is the one that REST takes as `q`; flags narrow it further.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import { createRunControl } from '../../control/runs.ts'
import { toQueryable } from '../../db/handle.ts'
import { readClock } from '../../db/statements/schedules.ts'
import { ConfigError } from '../../errors.ts'
import type { RunQuery } from '../../control/run-page.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { RUN_STATES, type RunDocument, type RunState } from '../../results/run.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'

export interface FilterFlags extends Flags {
  state?: string
  task?: string
  queue?: string
  tag?: string
}

export interface RunsFlags extends FilterFlags {
  before?: string
  limit?: number
}

export async function runs(words: readonly string[], flags: RunsFlags): Promise<number> {
  const { before, limit = 20 } = flags
  parseStates(flags.state)
  requireId(before)
  const { config, json } = await readSettings(flags)
  const page = await withRowbeat(config, async (rowbeat) => {
    const query = await queryFrom(rowbeat, words, flags)
    return await createRunControl(rowbeat).list(PROCESS, { ...query, before, limit })
  })
  if (json) say({ items: page.items, next: page.before })
  else if (page.items.length === 0) tell('No runs match.')
  else say(tableOf(rowsOf(page.items)))
  if (!json && page.before) tell(`There are more: --before ${page.before}`)
  return EXIT.done
}

/** Throws ConfigError unless it is an id to go on below, or none. */
export function requireId(before: string | undefined): void {
  if (before !== undefined && !isUuid(before))
    throw new ConfigError(`--before is "${before}": give the id that the last page ended with, a UUID.`)
}

/** Which runs are meant. Throws ConfigError with every fault of the query. */
export async function queryFrom(
  rowbeat: Rowbeat,
  words: readonly string[],
  flags: FilterFlags,
): Promise<Omit<RunQuery, 'limit'>> {
  const states = parseStates(flags.state)
  const { task, queue, tag } = flags
  const text = words.join(' ').trim()
  if (text === '') return { states, task, queue, tag }
  const { describeFault, parseSearch } = await import('../../results/search/search.ts')
  const parsed = parseSearch(text, await readClock(toQueryable(rowbeat.db)))
  if (!('search' in parsed))
    throw new ConfigError(`The query is not understood: ${parsed.faults.map(describeFault).join('; ')}.`)
  const { search } = parsed
  const both = states ? search.states?.filter((state) => states.includes(state)) : search.states
  return { states: both ?? states, task, queue, tag, where: search.where }
}

function parseStates(text: string | undefined): RunState[] | undefined {
  if (text === undefined) return undefined
  return text.split(',').map((word) => {
    const state = RUN_STATES.find((known) => known === word.trim().toUpperCase())
    if (state) return state
    throw new ConfigError(`--state: "${word}" is no state; use ${RUN_STATES.join(', ')}.`)
  })
}

export function stateOf({ state, reason }: RunDocument): string {
  return reason && reason !== state.toLowerCase() ? `${state} (${reason})` : state
}

function rowsOf(items: readonly RunDocument[]): string[][] {
  return [
    ['ID', 'TASK', 'QUEUE', 'STATE', 'TRY', 'CREATED'],
    ...items.map((run) => [
      run.id,
      run.task,
      run.queue,
      stateOf(run),
      `${run.attempt}/${run.attempts_max}`,
      run.created_at,
    ]),
  ]
}
