/**
 * `rowbeat runs`: a page of runs, newest first, as a table; with `--json` the documents that REST answers, and the id to
 * go on below.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createRunControl } from '../control/runs.ts'
import { ConfigError } from '../errors.ts'
import { RUN_STATES, type RunDocument, type RunState } from '../results/run.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { tableOf } from './table.ts'
import { EXIT, say, tell } from './words.ts'

export interface RunsFlags extends Flags {
  state?: string
  task?: string
  queue?: string
  tag?: string
  before?: string
  limit?: number
}

export async function runs(flags: RunsFlags): Promise<number> {
  const { task, queue, tag, before, limit = 20 } = flags
  const states = parseStates(flags.state)
  const { config, json } = await readSettings(flags)
  const page = await withRowbeat(config, async (rowbeat) =>
    createRunControl(rowbeat).list(PROCESS, { states, task, queue, tag, before, limit }),
  )
  if (json) say({ items: page.items, next: page.before })
  else if (page.items.length === 0) tell('No runs match.')
  else say(tableOf(rowsOf(page.items)))
  if (!json && page.before) tell(`There are more: --before ${page.before}`)
  return EXIT.done
}

function parseStates(text: string | undefined): RunState[] | undefined {
  if (text === undefined) return undefined
  return text.split(',').map((word) => {
    const state = RUN_STATES.find((known) => known === word.trim().toUpperCase())
    if (state) return state
    throw new ConfigError(`--state: "${word}" is no state; use ${RUN_STATES.join(', ')}.`)
  })
}

function rowsOf(items: readonly RunDocument[]): string[][] {
  return [
    ['ID', 'TASK', 'QUEUE', 'STATE', 'TRY', 'CREATED'],
    ...items.map((run) => [
      run.id,
      run.task,
      run.queue,
      run.reason && run.reason !== run.state.toLowerCase() ? `${run.state} (${run.reason})` : run.state,
      `${run.attempt}/${run.attempts_max}`,
      run.created_at,
    ]),
  ]
}
