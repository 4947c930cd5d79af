/**
 * Looking at schedules from further off than one row as it stands: what one was (its versions, from the audit log), what it
 * would do (a dry run), what became of many of late, and what the next hours hold for all. Part of the verbs of
 * control/schedules.ts, which hands in how it finds and judges a schedule.
 *
 * A dry run is the real thing in a transaction that is rolled back: what it answers has passed every default, limit and
 * constraint that a firing would, and nobody outside ever sees it. It asks for the right to write, since it takes the locks
 * of a write.
 */
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { begin, toQueryable, type DatabaseHandle, type Queryable } from '../db/handle.ts'
import { insertSchedule, updateSchedule } from '../db/statements/schedule-edits.ts'
import {
  listRecentFirings,
  listSoonest,
  listVersions,
  rehearseSchedule,
  type VersionRow,
} from '../db/statements/schedule-versions.ts'
import { readClock, readSchedule } from '../db/statements/schedules.ts'
import { parseRun, type RunDocument } from '../results/run.ts'
import type { Almanac } from '../schedules/almanac.ts'
import type { ScheduleDefinition } from '../schedules/definition.ts'
import { concealRun, type RunControl } from './runs.ts'
import type { ScheduleCheck } from './schedule-check.ts'
import {
  boundsOf,
  definitionOf,
  type FiringDocument,
  type ScheduleDocument,
  type ScheduleReader,
} from './schedule-document.ts'
import { refuseSchedule, unknownSchedule } from './schedule-refusal.ts'
import { layTimeline, type Timeline, type Window } from './schedule-timeline.ts'

/** A version as it is told: the edit that made it, and what people had written by then. */
export interface ScheduleVersion extends VersionRow {
  definition: ScheduleDefinition
  /** In plain words; null for a timing that cannot be read. */
  text: string | null
}

/** What a firing would do. */
export interface DryRun {
  due_at: string
  /** As it would be stored, but that nobody has this id. */
  run: RunDocument
  /** Runs of the schedule that have not ended, and that `overlap` would look at. */
  live: string[]
  notes: string[]
}

/** A firing and what became of its run. */
export interface RecentFiring extends FiringDocument {
  /** PENDING of any run that has not ended; null where there is none, or it is forgotten. */
  run_state: string | null
  run_seconds: number | null
}

export interface Rehearsal {
  /** The due instant, RFC 3339; null: the next one. */
  asOf: string | null
  /** Of a schedule that stands: an edit to make first. Of a draft: the whole definition. */
  body: unknown
}

export interface ScheduleOutlook {
  /** Latest first; `before` is the version to go on below. Who made each is told to those who may read the audit log. */
  versions(
    caller: Caller,
    id: string,
    page: { below: number | null; limit: number },
  ): Promise<{ items: ScheduleVersion[]; before: number | null }>
  /** Throws what an edit and an enqueue would. */
  dryRun(caller: Caller, id: string, rehearsal: Rehearsal): Promise<DryRun>
  /** The same of a schedule that is not saved. */
  dryRunDraft(caller: Caller, rehearsal: Rehearsal): Promise<DryRun>
  /** Latest first, of each of these schedules; ids that are unknown have none. */
  recent(
    caller: Caller,
    ids: readonly string[],
    count: number,
  ): Promise<{ schedule_id: string; firings: RecentFiring[] }[]>
  timeline(caller: Caller, window: Window): Promise<Timeline>
}

interface Means {
  handle: DatabaseHandle
  almanac: Almanac
  check: ScheduleCheck
  reader: ScheduleReader
  runs: RunControl
}

/** Schedules of one timeline. */
const TIMELINE_MAX = 500

export function createScheduleOutlook(means: Means): ScheduleOutlook {
  const { handle, almanac, check, reader, runs } = means
  const db = toQueryable(handle)
  return {
    async versions(caller, id, { below, limit }) {
      requireScope(caller, 'schedules:read')
      if (!(await readSchedule(db, id))) throw unknownSchedule(id)
      const rows = await listVersions(db, id, { below, limit: limit + 1 })
      const items = rows.slice(0, limit).map((row) => toVersion(reader, row))
      const told = mayDo(caller, 'audit:read') ? items : items.map(conceal)
      return { items: told, before: rows.length > limit ? items.at(-1)!.version : null }
    },
    async dryRun(caller, id, { asOf, body }) {
      requireScope(caller, 'schedules:write')
      const row = await readSchedule(db, id)
      if (!row) throw unknownSchedule(id)
      const current = reader.toDocument(row.schedule)
      // Outside the transaction, which may hold the only connection.
      if (body === null) await runs.checkInput(current.task, current.input)
      const changes = body === null ? {} : await check.readEdit(body, current, row.nowMs)
      const made = await rehearse(means, { asOf, nowMs: row.nowMs }, (inside) =>
        updateSchedule(inside, id, current.version, changes),
      )
      return reveal(caller, made)
    },
    async dryRunDraft(caller, { asOf, body }) {
      requireScope(caller, 'schedules:write')
      const nowMs = await readClock(db)
      const definition = await check.readWhole(body, nowMs)
      const made = await rehearse(means, { asOf, nowMs }, (inside) => insertSchedule(inside, definition))
      return reveal(caller, made)
    },
    async recent(caller, ids, count) {
      requireScope(caller, 'schedules:read')
      const firings = await listRecentFirings(db, ids, count)
      const all = firings.map((firing) => JSON.parse(firing) as RecentFiring)
      return ids.map((id) => ({
        schedule_id: id,
        firings: all.filter((firing) => firing.schedule_id === id),
      }))
    },
    async timeline(caller, { fromMs, hours }) {
      requireScope(caller, 'schedules:read')
      const from = fromMs ?? (await readClock(db))
      const until = from + hours * 3_600_000
      const rows = await listSoonest(db, new Date(until).toISOString(), TIMELINE_MAX + 1)
      const schedules = rows.slice(0, TIMELINE_MAX).map((row) => reader.toDocument(row))
      return await layTimeline(almanac, schedules, from, until, rows.length > TIMELINE_MAX)
    },
  }
}

/** The version of a schedule that is to come back. Throws RB_SCHEDULE_INVALID. */
export async function readVersion(
  db: Queryable,
  reader: ScheduleReader,
  { id, version: standing, name }: ScheduleDocument,
  version: number,
): Promise<ScheduleVersion> {
  const [row] = version < standing ? await listVersions(db, id, { below: version + 1, limit: 1 }) : []
  if (row?.made.version === version) return toVersion(reader, row)
  const [last] = await listVersions(db, id, { below: null, limit: 1 })
  const detail =
    version >= standing
      ? `must be below ${last?.made.version ?? standing}, which it has now`
      : `is no version of ${JSON.stringify(name)} that is still known`
  throw refuseSchedule([{ pointer: '/version', detail }])
}

function toVersion(
  reader: ScheduleReader,
  { made, schedule }: { made: VersionRow; schedule: string },
): ScheduleVersion {
  const document = reader.toDocument(schedule)
  return { ...made, definition: definitionOf(document), text: document.text }
}

function conceal(version: ScheduleVersion): ScheduleVersion {
  return { ...version, actor: null }
}

async function rehearse(
  { handle, almanac, reader }: Means,
  { asOf, nowMs }: { asOf: string | null; nowMs: number },
  save: (inside: Queryable) => Promise<string | null>,
): Promise<DryRun> {
  return await undone(handle, async (inside) => {
    const row = await save(inside)
    if (row === null) throw unknownSchedule('at this version any more')
    const schedule = reader.toDocument(row)
    const read = almanac.read(schedule.schedule)
    if ('faults' in read) throw refuseSchedule(read.faults)
    const table = almanac.timetable(read.spec, boundsOf(schedule))
    const next = table.next(nowMs)
    const dueMs = asOf === null ? (next ?? nowMs) : Date.parse(asOf)
    const due_at = new Date(dueMs).toISOString()
    const { run, live } = await rehearseSchedule(inside, schedule.id, due_at)
    const notes = remarks(schedule, { next, isInstant: table.next(dueMs - 1) === dueMs, live: live.length })
    return { due_at, run: parseRun(run), live, notes }
  })
}

/** What `work` answers, of a transaction that never was. */
async function undone<T>(handle: DatabaseHandle, work: (inside: Queryable) => Promise<T>): Promise<T> {
  const answers: T[] = []
  const back = refuseSchedule([{ pointer: '', detail: 'was a dry run' }])
  try {
    await begin(handle, async (tx) => {
      answers.push(await work(toQueryable(tx)))
      throw back
    })
  } catch (error) {
    if (error !== back) throw error
  }
  return answers[0]!
}

const OVERLAPPING: Readonly<Record<string, string>> = {
  skip: 'it would be skipped',
  buffer_one: 'it would wait for its end',
  cancel_other: 'that would be ended first',
}

function remarks(
  { enabled, jitter, overlap }: ScheduleDocument,
  { next, isInstant, live }: { next: number | null; isInstant: boolean; live: number },
): string[] {
  const notes: string[] = []
  if (!enabled) notes.push('It is switched off: nothing of it comes before it is resumed.')
  if (next === null) notes.push('No instant of it lies ahead.')
  else if (!isInstant)
    notes.push(`That is no instant of it; the next one is ${new Date(next).toISOString()}.`)
  if (jitter) notes.push(`Jitter: each run waits a part of ${jitter} s, drawn anew each time.`)
  if (live > 0 && OVERLAPPING[overlap])
    notes.push(`While its last run has not ended, as now, ${OVERLAPPING[overlap]}.`)
  return notes
}

function reveal(caller: Caller, made: DryRun): DryRun {
  const mayRead = mayDo(caller, 'runs:read') || mayDo(caller, 'schedules:read')
  return mayRead ? made : { ...made, run: concealRun(made.run), live: [] }
}
