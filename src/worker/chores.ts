/**
 * What a worker's dispatcher does beside, each at its own interval: sweeps workers that died, checks its lanes, takes back
 * rows of nobody, works off operations, ends what expired, keeps the store in order.
 */
import { withConnection } from '../db/connect.ts'
import { toQueryable, type Queryable } from '../db/handle.ts'
import { deleteCommands } from '../db/statements/control.ts'
import { countFailures } from '../db/statements/failures.ts'
import { reclaimOrphans, sweepDead } from '../db/statements/recovery.ts'
import { vacuumHot } from '../db/statements/upkeep.ts'
import type { Chore } from '../dispatcher/dispatcher.ts'
import { expireWaiting, workOperations } from '../dispatcher/operations.ts'
import { createRollUp, type RollUp } from '../dispatcher/roll-up.ts'
import { upkeep } from '../dispatcher/upkeep.ts'
import type { RunEvents } from './events.ts'
import { DEAD_SECONDS } from './heartbeat.ts'
import type { Lanes } from './lanes.ts'

const SWEEP_MS = 1000
const OPERATIONS_MS = 250
const EXPIRE_MS = 1000
/** Contact without a gap before this worker may judge others: whoever was cut off knows nothing. */
const STEADY_MS = 5000
const ORPHANS_MS = 20_000
const UPKEEP_MS = 3_600_000
const KEEP_UP_MS = 10_000
/** Of all workers one counts, about every ten seconds; and for so long at a time when there is much to count. */
const COUNT_MS = 8000
const ROLL_MS = 2000
const DEAD_ROWS = 20_000

export interface ChoresOptions {
  db: Queryable
  databaseUrl: string
  prepare: boolean
  events: RunEvents
  lanes: Lanes
  /** Seconds to keep a result whose run says nothing. */
  keep: number
  /** Milliseconds of unbroken contact. */
  steadyMs(): number
}

export function choresOf(options: ChoresOptions): Chore[] {
  const { db, lanes } = options
  const rollUp = createRollUp()
  return [
    { everyMs: SWEEP_MS, run: () => sweep(options) },
    { everyMs: SWEEP_MS, run: () => lanes.check() },
    { everyMs: OPERATIONS_MS, run: () => workOperations(db) },
    { everyMs: EXPIRE_MS, run: () => expireWaiting(db) },
    { everyMs: ORPHANS_MS, run: async () => void (await reclaimOrphans(db)) },
    { everyMs: KEEP_UP_MS, run: apart(() => keepUp(options, rollUp)) },
  ]
}

/** Begins it and does not wait: it may take a while, and runs that are due must not. What went wrong is told at its next turn. */
function apart(run: () => Promise<void>): () => Promise<void> {
  let isBusy = false
  let failures: unknown[] = []
  return async () => {
    const [failure] = failures
    failures = []
    if (failure) throw failure
    if (isBusy) return
    isBusy = true
    void run()
      .catch((error: unknown) => failures.push(error))
      .finally(() => (isBusy = false))
  }
}

async function sweep({ db, events, keep, steadyMs }: ChoresOptions): Promise<void> {
  if (steadyMs() < STEADY_MS) return
  const swept = await sweepDead(db, DEAD_SECONDS, keep)
  if (swept.workers.length > 0) events.emit('worker:swept', swept)
}

/** On a connection of its own: upkeep may take longer than the deadline of the runner's. */
async function keepUp({ databaseUrl, prepare }: ChoresOptions, rollUp: RollUp): Promise<void> {
  await withConnection({ url: databaseUrl, role: 'upkeep', prepare }, async (sql) => {
    await vacuumHot(toQueryable(sql), DEAD_ROWS)
    await countFailures(toQueryable(sql), COUNT_MS)
    await rollUp(toQueryable(sql), COUNT_MS, ROLL_MS)
    if (await upkeep(toQueryable(sql), UPKEEP_MS)) await deleteCommands(toQueryable(sql))
  })
}
