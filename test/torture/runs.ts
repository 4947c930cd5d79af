/**
 * What the scenarios about workers share: runs are enqueued and acknowledged, harm is done while they run, and at the
 * end each acknowledged run must have exactly one result.
 */
import { createRowbeat } from '../../src/index.ts'
import { scripted, type Script } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { emptyTally, type Tally, type Torture } from './scenario.ts'

export interface Promised {
  readonly ids: Set<string>
  readonly attempts: number
}

/** Enqueues `n` runs in bulks; `script` gives the i-th its fate. */
export async function promiseRuns(
  torture: Torture,
  n: number,
  script: (i: number) => Script,
): Promise<Promised> {
  const rowbeat = createRowbeat({ databaseUrl: torture.world.adminUrl, tasks: [scripted] })
  torture.teardown(() => rowbeat.close())
  const ids = new Set<string>()
  for (let from = 0; from < n; from += 500) {
    const inputs = Array.from({ length: Math.min(500, n - from) }, (_, i) => script(from + i))
    for (const { id } of await rowbeat.enqueueMany(inputs.map((input) => ({ task: scripted, input }))))
      ids.add(id)
  }
  return { ids, attempts: n }
}

/** Results there are now; a server that restarts is asked again. */
export async function countResults({ world }: Torture): Promise<number> {
  try {
    return (await world.admin`select count(*)::int as n from rowbeat.results`)[0]!.n
  } catch {
    return -1
  }
}

/** Waits until every promised run has ended, or nothing more comes for a minute; then counts. */
export async function settleRuns(
  torture: Torture,
  { ids, attempts }: Promised,
  faults: number,
): Promise<Tally> {
  const tally: Tally = { ...emptyTally(), faults, attempts, acked: ids.size }
  await until('all runs ended', async () => (await countResults(torture)) >= ids.size, {
    timeout: 60_000,
    every: 100,
  }).catch((error: Error) => torture.log(error.message))
  const rows = await torture.world.admin<
    { id: string; state: string }[]
  >`select id, state from rowbeat.results`
  const seen = new Set<string>()
  for (const { id, state } of rows) {
    if (!ids.has(id) || state !== 'SUCCESS') tally.unexpected++
    else if (seen.has(id)) tally.duplicated++
    else tally.ok++
    seen.add(id)
  }
  const [left] = await torture.world.admin<{ n: number }[]>`
    select (select count(*) from rowbeat_queue._private_jobs)::int + (select count(*) from rowbeat.parked)::int as n`
  tally.stuck = left!.n
  tally.lost = ids.size - seen.size - tally.stuck
  return tally
}
