/**
 * What may be done with schedules, for REST, panel and command line alike: each verb checks the caller's scope, then acts.
 *
 * A change is made to a version. The row is read, what was asked for is judged by what the row says, and the statement
 * changes the row only if it still has the version that was read: whoever came second is told RB_SCHEDULE_CHANGED. Who
 * asks for no version in particular (`any`) is not told but tried again. Firings leave the version alone, so a schedule that fires
 * fifty times a second can be edited.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { mayDo, PROCESS, requireScope, type Caller } from '../auth/scopes.ts'
import { toQueryable, type Queryable } from '../db/handle.ts'
import {
  deleteSchedule,
  importSchedules,
  insertSchedule,
  pauseSchedule,
  resumeSchedule,
  revertSchedule,
  runSchedule,
  updateSchedule,
  type Pause,
} from '../db/statements/schedule-edits.ts'
import { restoreVersion } from '../db/statements/schedule-versions.ts'
import {
  findScheduleId,
  listFirings,
  listOrphans,
  listSchedules,
  readClock,
  readSchedule,
  type FiringQuery,
  type ScheduleFilter,
  type SchedulePlace,
} from '../db/statements/schedules.ts'
import { buildBody, explainRefusal } from '../queue/enqueue.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import type { RunDocument } from '../results/run.ts'
import { createAlmanac, type Bounds } from '../schedules/almanac.ts'
import type { Preview } from '../schedules/preview.ts'
import type { ScheduleSpec } from '../schedules/spec.ts'
import { createRegistry } from '../tasks/registry.ts'
import { acting, type Deed } from './acting.ts'
import { explained } from './explained.ts'
import { backfill, listInstants, type Backfill, type Stretch } from './backfill.ts'
import { concealRun, type RunControl, type RunRequest } from './runs.ts'
import { createScheduleCheck } from './schedule-check.ts'
import {
  boundsOf,
  createScheduleReader,
  revealTo,
  type FiringDocument,
  type ScheduleDocument,
} from './schedule-document.ts'
import {
  importFile,
  makeFile,
  type Imported,
  type ImportMode,
  type ScheduleFile,
} from './schedule-exchange.ts'
import { createScheduleOutlook, readVersion, type ScheduleOutlook } from './schedule-outlook.ts'
import {
  changedSchedule,
  explainScheduleRefusal,
  refuseSchedule,
  undeclaredSchedule,
  unknownSchedule,
} from './schedule-refusal.ts'

/** Versions to which a change may be made. */
export type Match = 'any' | readonly number[]

/** A timing that is not saved, and from when to preview it. */
export interface Draft extends Question {
  schedule: unknown
  /** Milliseconds since 1970. */
  anchorMs?: number
  startMs?: number
  endMs?: number
}

export interface Question {
  /** Milliseconds since 1970; without it, now by the database's clock. */
  afterMs?: number
  count: number
}

/** A run by hand: the instant it stands for, and what is to be other than the schedule says. `task` is not looked at. */
export interface RunByHand {
  asOf: string | null
  request: RunRequest
}

/** Where a schedule is to go back to, and why. */
export interface Back {
  /** Null: what the code declared. */
  version?: number | null
  reason?: string | null
}

/** Each verb throws AccessError; those with an id RB_SCHEDULE_NOT_FOUND; those with a match RB_SCHEDULE_CHANGED. */
export interface ScheduleControl extends ScheduleOutlook {
  /** `more`: the last of them is not the last there is. */
  list(
    caller: Caller,
    filter: ScheduleFilter,
    place: SchedulePlace,
  ): Promise<{ items: ScheduleDocument[]; more: boolean }>
  read(caller: Caller, id: string): Promise<ScheduleDocument>
  /** Throws unless it is there: also for who may not read it. */
  require(caller: Caller, id: string): Promise<void>
  /** The id of a name. */
  find(caller: Caller, name: string): Promise<string>
  /** Throws RB_SCHEDULE_INVALID, RB_SCHEDULE_DUPLICATE, and for an input what enqueue throws. */
  create(caller: Caller, body: unknown): Promise<ScheduleDocument>
  /** The whole definition anew; what is left out has its default. Throws as `create`. */
  replace(caller: Caller, id: string, body: unknown, match: Match): Promise<ScheduleDocument>
  /** Only what is given. Throws as `create`. */
  edit(caller: Caller, id: string, body: unknown, match: Match): Promise<ScheduleDocument>
  /** Answers it as it was. */
  delete(caller: Caller, id: string, match: Match): Promise<ScheduleDocument>
  pause(caller: Caller, id: string, pause: Pause, match: Match): Promise<ScheduleDocument>
  /** Throws RB_SCHEDULE_INVALID when no instant of it lies ahead. */
  resume(caller: Caller, id: string, match: Match): Promise<ScheduleDocument>
  /** Back to a version it had; to none in particular: to what the code declared. Throws RB_SCHEDULE_UNDECLARED, and as `edit`. */
  revert(caller: Caller, id: string, match: Match, back?: Back): Promise<ScheduleDocument>
  run(caller: Caller, id: string, asked: RunByHand, match: Match): Promise<RunDocument>
  backfill(caller: Caller, id: string, stretch: Stretch, match: Match): Promise<Backfill>
  firings(
    caller: Caller,
    id: string,
    query: FiringQuery,
  ): Promise<{ items: FiringDocument[]; before: string | null }>
  preview(caller: Caller, id: string, question: Question): Promise<Preview>
  previewDraft(caller: Caller, draft: Draft): Promise<Preview>
  export(caller: Caller, filter: ScheduleFilter): Promise<ScheduleFile>
  import(caller: Caller, file: unknown, mode: ImportMode): Promise<Imported>
  /** Those that code once declared and is not among these names. */
  orphans(caller: Caller, declared: readonly string[]): Promise<ScheduleDocument[]>
}

/** How often a change to any version is tried while others change the row. */
const TRIES = 20
const STEP_BACK_MS = 4
const EVERYTHING = 10_000_000

/** Null: no schedule has this id and version any more. */
type Edit = (db: Queryable, id: string, version: number) => Promise<string | null>

interface Found {
  schedule: ScheduleDocument
  /** The database's clock. */
  nowMs: number
}

/** `timezone` is that of crontabs which name none. */
export function createScheduleControl(
  rowbeat: Rowbeat,
  { runs, timezone = 'UTC' }: { runs: RunControl; timezone?: string },
): ScheduleControl {
  const db = toQueryable(rowbeat.db)
  const almanac = createAlmanac({ zone: timezone })
  const check = createScheduleCheck(almanac, timezone, runs.checkInput)
  const reader = createScheduleReader(almanac)
  const { toDocument, toDefinition } = reader

  const require = async (id: string, match: Match = 'any'): Promise<Found> => {
    const row = await readSchedule(db, id)
    if (!row) throw unknownSchedule(id)
    const schedule = toDocument(row.schedule)
    if (match !== 'any' && !match.includes(schedule.version))
      throw changedSchedule(schedule.name, schedule.version)
    return { schedule, nowMs: row.nowMs }
  }
  /** `judge` reads what is asked for by what the row says, and answers the statement that does it. */
  const change = async (
    { caller, id, match, deed = {} }: { caller: Caller; id: string; match: Match; deed?: Deed },
    judge: (found: Found) => Edit | Promise<Edit>,
  ): Promise<ScheduleDocument> => {
    for (let tries = 1; ; tries++) {
      const found = await require(id, match)
      const edit = await judge(found)
      const row = await acting(rowbeat.db, caller, deed, (inside) =>
        edit(inside.db, id, found.schedule.version),
      )
      if (row !== null) return toDocument(row)
      if (tries === TRIES) throw changedSchedule(found.schedule.name, found.schedule.version)
      // Some of those who come at once must step back, or the same one loses each time.
      await wait(Math.random() * tries * STEP_BACK_MS)
    }
  }
  const show = (question: Question, nowMs: number, spec: ScheduleSpec, bounds: Partial<Bounds>): Preview => {
    const afterMs = question.afterMs ?? nowMs
    const anchorMs = bounds.anchorMs ?? bounds.startMs ?? afterMs
    return almanac.preview(spec, { ...bounds, anchorMs }, afterMs, question.count)
  }
  const read = (spec: unknown): ScheduleSpec => {
    const result = almanac.read(spec)
    if ('faults' in result) throw refuseSchedule(result.faults)
    return result.spec
  }

  const verbs: ScheduleControl = {
    async list(caller, filter, place) {
      requireScope(caller, 'schedules:read')
      const rows = await listSchedules(db, filter, { ...place, limit: place.limit + 1 })
      return { items: rows.slice(0, place.limit).map(toDocument), more: rows.length > place.limit }
    },
    async read(caller, id) {
      requireScope(caller, 'schedules:read')
      return (await require(id)).schedule
    },
    async require(caller, id) {
      requireEither(caller)
      await require(id)
    },
    async find(caller, name) {
      requireEither(caller)
      const id = await findScheduleId(db, name)
      if (id === null) throw unknownSchedule(`named ${JSON.stringify(name)}`)
      return id
    },
    async create(caller, body) {
      requireScope(caller, 'schedules:write')
      const definition = await check.readWhole(body, await readClock(db))
      return toDocument(
        await acting(rowbeat.db, caller, {}, (inside) => insertSchedule(inside.db, definition)),
      )
    },
    async replace(caller, id, body, match) {
      requireScope(caller, 'schedules:write')
      return await change({ caller, id, match }, async ({ nowMs }) => {
        const definition = await check.readDocument(body, nowMs)
        return (...row) => updateSchedule(...row, definition)
      })
    },
    async edit(caller, id, body, match) {
      requireScope(caller, 'schedules:write')
      const edited = await change({ caller, id, match }, async ({ schedule, nowMs }) => {
        const changes = await check.readEdit(body, schedule, nowMs)
        return (...row) => updateSchedule(...row, changes)
      })
      return revealTo(caller, edited)
    },
    async delete(caller, id, match) {
      requireScope(caller, 'schedules:write')
      const gone = await change({ caller, id, match }, () => deleteSchedule)
      return revealTo(caller, gone)
    },
    async pause(caller, id, pause, match) {
      requireScope(caller, 'schedules:write')
      const deed = { action: 'schedule.pause', reason: pause.reason }
      const paused = await change(
        { caller, id, match, deed },
        () =>
          (...row) =>
            pauseSchedule(...row, pause),
      )
      return revealTo(caller, paused)
    },
    async resume(caller, id, match) {
      requireScope(caller, 'schedules:write')
      const deed = { action: 'schedule.resume' }
      const resumed = await change({ caller, id, match, deed }, ({ schedule, nowMs }) => {
        if (!schedule.enabled) check.requireFuture(schedule, nowMs)
        return resumeSchedule
      })
      return revealTo(caller, resumed)
    },
    async revert(caller, id, match, { version = null, reason = null } = {}) {
      requireScope(caller, 'schedules:write')
      const deed = { action: 'schedule.revert', reason }
      const reverted = await change({ caller, id, match, deed }, async ({ schedule, nowMs }) => {
        if (version !== null) {
          const { definition } = await readVersion(db, reader, schedule, version)
          await check.readEdit({ ...definition, enabled: schedule.enabled }, schedule, nowMs)
          return (...row) => restoreVersion(...row, version)
        }
        if (schedule.origin !== 'code') throw undeclaredSchedule(schedule.name)
        return revertSchedule
      })
      return revealTo(caller, reverted)
    },
    async run(caller, id, { asOf, request }, match) {
      requireScope(caller, 'schedules:write')
      const { schedule } = await require(id, match)
      const isInputGiven = Object.hasOwn(request, 'input')
      if (isInputGiven) await runs.checkInput(schedule.task, request.input)
      // Without a task's defaults: the store adds them where neither the schedule nor the caller says otherwise.
      const body = await buildBody(
        { tasks: createRegistry([]), router: null },
        schedule.task,
        request.input,
        request.options,
      )
      const { task: _task, ...fields } = body.fields
      const input = isInputGiven ? { input: JSON.parse(body.input ?? '{}') as unknown } : {}
      const more = { ...fields, ...input }
      const runId = await acting(rowbeat.db, caller, {}, async (inside) => {
        const made = await runSchedule(inside.db, id, asOf, more)
        await inside.note({
          action: 'schedule.run',
          targetKind: 'schedule',
          target: id,
          after: { run: made },
        })
        return made
      }).catch((error: { code?: string }) => {
        throw error.code === 'P0002' ? unknownSchedule(id) : explainRefusal(error)
      })
      const run = await runs.read(PROCESS, runId)
      return mayDo(caller, 'runs:read') || mayDo(caller, 'schedules:read') ? run : concealRun(run)
    },
    async backfill(caller, id, stretch, match) {
      requireScope(caller, 'schedules:write')
      const { schedule, nowMs } = await require(id, match)
      const timetable = almanac.timetable(read(schedule.schedule), boundsOf(schedule))
      const instants = listInstants(timetable, stretch, nowMs)
      if (stretch.dryRun) return await backfill(db, id, instants, true)
      return await acting(rowbeat.db, caller, {}, async (inside) => {
        const done = await backfill(inside.db, id, instants, false)
        const after = { from: stretch.from, to: stretch.to, runs: done.items.length }
        await inside.note({ action: 'schedule.backfill', targetKind: 'schedule', target: id, after })
        return done
      })
    },
    async firings(caller, id, { limit, ...query }) {
      requireScope(caller, 'schedules:read')
      await require(id)
      const rows = await listFirings(db, id, { ...query, limit: limit + 1 })
      const items = rows.slice(0, limit)
      return {
        items: items.map(({ firing }) => JSON.parse(firing) as FiringDocument),
        before: rows.length > limit ? items.at(-1)!.place : null,
      }
    },
    async preview(caller, id, question) {
      requireScope(caller, 'schedules:read')
      const { schedule, nowMs } = await require(id)
      const preview = show(question, nowMs, read(schedule.schedule), boundsOf(schedule))
      if (schedule.enabled) return preview
      return {
        ...preview,
        notes: [...preview.notes, 'It is switched off: none of these will come before it is resumed.'],
      }
    },
    async previewDraft(caller, { schedule, anchorMs, startMs, endMs, ...question }) {
      requireScope(caller, 'schedules:read')
      const spec = read(schedule)
      const nowMs = question.afterMs ?? (await readClock(db))
      return show(question, nowMs, spec, { anchorMs, startMs, endMs })
    },
    async export(caller, filter) {
      requireScope(caller, 'schedules:read')
      const rows = await listSchedules(db, filter, { order: 'name', limit: EVERYTHING })
      return await makeFile(rows, toDefinition)
    },
    async import(caller, file, mode) {
      requireScope(caller, 'schedules:write')
      const nowMs = await readClock(db)
      return await importFile(db, check, { file, mode, nowMs }, (definitions, replace) =>
        acting(rowbeat.db, caller, {}, (inside) => importSchedules(inside.db, definitions, replace)),
      )
    },
    async orphans(caller, declared) {
      requireScope(caller, 'schedules:read')
      return (await listOrphans(db, declared)).map(toDocument)
    },
    ...createScheduleOutlook({ handle: rowbeat.db, almanac, check, reader, runs }),
  }
  return explained(verbs, explainScheduleRefusal)
}

function requireEither(caller: Caller): void {
  if (!mayDo(caller, 'schedules:write')) requireScope(caller, 'schedules:read')
}
