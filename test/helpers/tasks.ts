/**
 * Tasks whose input chooses their fate, so that a test says in its own words what is to happen.
 *
 * `scripted` does what its script says. With a `ledger` file each start and end is one appended line, written before
 * anything else happens: what a killed process did can be read afterwards, and a run that ran twice is seen. `entry`
 * is the transactional one: its effect is a row of the table `ledger` (makeLedger), to be compared with the results.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type postgres from 'postgres'
import { Discard, Retry, Snooze, task } from '../../src/index.ts'

export interface Script {
  /** Default `ok`. `exit` and `abort` end the process; `spin` blocks the event loop for `ms`; `hang` never ends. */
  fate?: 'ok' | 'fail' | 'retry' | 'snooze' | 'discard' | 'hang' | 'spin' | 'exit' | 'abort'
  /** Has its fate so often and is well after that; default always. */
  times?: number
  /** Takes so long before its fate. */
  ms?: number
  /** Ends at once, by throwing, when its signal aborts. */
  obedient?: boolean
  value?: unknown
  message?: string
  /** Retry: when; snooze: for how long. Milliseconds. */
  again?: number
  ledger?: string
}

/** How often runs snoozed, by id: it counts nowhere else. */
const snoozes = new Map<string, number>()

export const scripted = task('test.scripted', {}, async (script: Script, { run, signal }) => {
  const { fate = 'ok', times = Infinity, ms = 0, ledger } = script
  const note = (what: string): void => {
    if (ledger) appendFileSync(ledger, `${what} ${run.id} ${run.attempt} ${process.pid} ${Date.now()}\n`)
  }
  note('start')
  if (fate === 'spin') spin(ms)
  else if (ms > 0) await pause(ms, undefined, script.obedient ? { signal } : {})
  const before = { snooze: snoozes.get(run.id) ?? 0, exit: run.redeliveries, abort: run.redeliveries }
  const had = fate in before ? before[fate as keyof typeof before] : run.attempt - 1
  if (had < times) await meet(fate, script, run.id, signal)
  note('end')
  return script.value === undefined ? run.attempt : script.value
})

async function meet(fate: Script['fate'], script: Script, id: string, signal: AbortSignal): Promise<void> {
  const { message = 'as the script said', again = 100, obedient = false } = script
  if (fate === 'fail') throw new TypeError(message, { cause: new Error('the cause') })
  if (fate === 'retry') throw new Retry({ in: `${again}ms`, message })
  if (fate === 'discard') throw new Discard(message)
  if (fate === 'exit') process.exit(3)
  if (fate === 'abort') process.abort()
  if (fate === 'hang') await pause(600_000, undefined, { ref: false, ...(obedient ? { signal } : {}) })
  if (fate === 'snooze') {
    snoozes.set(id, (snoozes.get(id) ?? 0) + 1)
    throw new Snooze(`${again}ms`)
  }
}

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

export const entry = task(
  'test.entry',
  { transactional: true },
  async ({ ms = 0, fate }: { ms?: number; fate?: 'fail' | 'hang' }, { run, tx, signal }) => {
    await tx.unsafe('insert into ledger (run, attempt) values ($1, $2)', [run.id, run.attempt])
    if (ms > 0) await pause(ms)
    if (fate === 'hang') await pause(600_000, undefined, { signal, ref: false })
    if (fate === 'fail') throw new Error('after its effect')
    return run.attempt
  },
)

/** The table that `entry` writes to: without a key, so that an effect which happens twice is two rows. */
export async function makeLedger(sql: postgres.Sql): Promise<void> {
  await sql`create table ledger (run uuid not null, attempt int not null, at timestamptz not null default clock_timestamp())`
}

export interface LedgerLine {
  what: 'start' | 'end'
  run: string
  attempt: number
  pid: number
  at: number
}

/** What was appended to a ledger file so far. */
export function readLedger(file: string): LedgerLine[] {
  const lines = readFileSync(file, { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1)
  return lines.map((line) => {
    const [what, run, attempt, pid, at] = line.split(' ') as [LedgerLine['what'], ...string[]]
    return { what, run: run!, attempt: Number(attempt), pid: Number(pid), at: Number(at) }
  })
}
