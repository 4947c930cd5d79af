/**
 * One tick: rows are read, decided on, and handed back in one statement. What fails for a reason of its own is split until
 * the row that is to blame stands alone; it is marked with the reason and waits for an edit, and the others have fired.
 */
import { isTransient, type Queryable } from '../db/handle.ts'
import {
  armSchedules,
  fireSchedules,
  markSchedule,
  readDue,
  readUnarmed,
  type Arming,
  type Decision,
  type DueRow,
  type Fired,
  type UnarmedRow,
} from '../db/statements/beat.ts'
import type { Almanac, Timetable } from '../schedules/almanac.ts'
import type { ScheduleSpec } from '../schedules/spec.ts'
import { decide } from './decision.ts'
import type { BeatEvents } from './events.ts'

export interface Ticker {
  /**
   * Fires what is due, a batch at a time until there is no more; `contended`: others had all of it in their hands. Then
   * the next tick may pass over as many batches as were found so.
   */
  tick(pass: number): Promise<'done' | 'contended'>
  /** Works out the first instant of rows that are new or were edited; answers how many it wrote. */
  arm(): Promise<number>
}

const BATCH = 1000
/** Batches without a look in between, which is also the sign of life. */
const BATCHES_MAX = 5
/** From so many on two transactions are worth it. */
const MANY = 200

type Timed = Pick<DueRow, 'id' | 'version' | 'schedule' | 'anchorMs' | 'startMs' | 'endMs'>
type Known = { spec: ScheduleSpec; table: Timetable } | { why: string }

export function createTicker(db: Queryable, almanac: Almanac, events: BeatEvents): Ticker {
  const know = ({ schedule, ...bounds }: Timed): Known => {
    const read = almanac.readText(schedule)
    if ('spec' in read) return { spec: read.spec, table: almanac.timetable(read.spec, bounds) }
    const [fault] = read.faults
    return { why: `${fault!.pointer.slice(1)} ${fault!.detail}`.trim() }
  }
  const mark = async ({ id, version }: Pick<Timed, 'id' | 'version'>, why: string): Promise<void> => {
    await markSchedule(db, id, version, why)
    events.emit('schedule:refused', { schedule: id, error: why })
  }
  const fire = async (decisions: readonly Decision[]): Promise<Fired> => {
    try {
      return await fireSchedules(db, decisions)
    } catch (error) {
      if (isTransient(error)) throw error
      if (decisions.length === 1) {
        if (isOfTheRow(error)) await mark(decisions[0]!, (error as Error).message)
        else events.emit('beat:trouble', { what: 'a firing', error })
        return { taken: isOfTheRow(error) ? 1 : 0, fired: 0, skipped: 0 }
      }
      const [first, second] = halve(decisions)
      return add(await fire(first), await fire(second))
    }
  }
  /** Many in two transactions at once: a statement has one core of the store's, and the store has more. */
  const fireAll = async (decisions: readonly Decision[]): Promise<Fired> => {
    if (decisions.length < MANY) return await fire(decisions)
    const [first, second] = await Promise.allSettled(halve(decisions).map(fire))
    if (first!.status === 'rejected') throw first!.reason
    if (second!.status === 'rejected') throw second!.reason
    return add(first!.value, second!.value)
  }
  const decideOn = async (rows: readonly DueRow[]): Promise<Decision[]> => {
    const decisions: Decision[] = []
    for (const row of rows) {
      const decision = orWhy(() => {
        if (!Number.isFinite(row.dueMs)) return { why: 'next_run_at is no instant: write one, or null' }
        const known = know(row)
        return 'why' in known ? known : decide(row, known.table)
      })
      if ('why' in decision) await mark(row, decision.why)
      else decisions.push(decision)
    }
    return decisions
  }

  return {
    async tick(pass) {
      for (let batch = 0; batch < BATCHES_MAX; batch++) {
        const rows = await readDue(db, BATCH, pass * BATCH)
        const decisions = await decideOn(rows)
        if (decisions.length === 0) return pass > 0 ? 'contended' : 'done'
        const outcome = await fireAll(decisions)
        if (outcome.taken > 0) events.emit('beat:fired', outcome)
        if (outcome.taken === 0) return 'contended'
        if (rows.length < BATCH) return 'done'
      }
      return 'done'
    },
    async arm() {
      const rows = await readUnarmed(db, BATCH)
      if (rows.length === 0) return 0
      const armings = rows.map((row) => {
        const arming = orWhy(() => toArming(row, know(row)))
        return 'why' in arming ? refuse(row, arming.why) : arming
      })
      const armed = await armSchedules(db, armings)
      const refused = armings.filter(({ error }) => error !== null)
      for (const { id, error } of refused) events.emit('schedule:refused', { schedule: id, error: error! })
      events.emit('beat:armed', { armed, refused: refused.length })
      return armed
    },
  }
}

function halve<T>(all: readonly T[]): [T[], T[]] {
  const half = all.length >> 1
  return [all.slice(0, half), all.slice(half)]
}

function add(one: Fired, other: Fired): Fired {
  return {
    taken: one.taken + other.taken,
    fired: one.fired + other.fired,
    skipped: one.skipped + other.skipped,
  }
}

/** What one row brings about, whatever that is, is not thrown at the others. */
function orWhy<T>(work: () => T): T | { why: string } {
  try {
    return work()
  } catch (error) {
    return { why: `no instant can be worked out: ${(error as Error).message}` }
  }
}

/** Whether the database objects to what is in the row. Rights, missing functions and the like are nobody's row. */
function isOfTheRow(error: unknown): boolean {
  return /^(21|22|23|54|P0)/.test(String((error as { code?: unknown }).code ?? ''))
}

function toArming(row: UnarmedRow, known: Known): Arming {
  const { id, version, since, sinceMs, left } = row
  if ('why' in known) return refuse(row, known.why)
  if (left !== null && left <= 0)
    return refuse(row, 'firings_max is reached: raise it, or take it away, and it fires again')
  const next = known.table.next(sinceMs)
  if (next === null) return refuse(row, whyNone(row, known.spec))
  return { id, version, since, next: new Date(next).toISOString(), error: null }
}

function refuse({ id, version, since }: UnarmedRow, error: string): Arming {
  return { id, version, since, next: null, error }
}

/** Why no instant lies ahead, by the field that would mend it. */
function whyNone({ sinceMs, endMs }: UnarmedRow, spec: ScheduleSpec): string {
  if (spec.kind === 'clocked' && Date.parse(spec.at) <= sinceMs)
    return 'at is past; give an instant that lies ahead'
  if (endMs !== null && endMs <= sinceMs) return 'end_at is past; give a later one, or none'
  return 'never fires: no instant of it lies ahead between start_at and end_at'
}
