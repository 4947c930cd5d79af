/**
 * Commands that only look: list, show, firings, preview, orphans.
 */
import { PROCESS } from '../../auth/scopes.ts'
import type { ScheduleDocument, FiringDocument } from '../../control/schedule-document.ts'
import type { ScheduleFilter } from '../../db/statements/schedules.ts'
import { CLEANUP_TASK } from '../../dispatcher/cleanup.ts'
import { ConfigError } from '../../errors.ts'
import type { Preview } from '../../schedules/preview.ts'
import { loadModules } from '../modules.ts'
import type { Flags } from '../options.ts'
import { tableOf } from '../table.ts'
import { say, tell } from '../words.ts'
import { timingFrom, type TimingFlags } from './flags.ts'
import { atDesk, locate } from './setting.ts'

export interface FilterFlags extends Omit<Flags, 'queues'> {
  task?: string
  queue?: string
  kind?: ScheduleFilter['kind']
  origin?: ScheduleFilter['origin']
  tag?: string
  on?: boolean
  off?: boolean
  broken?: boolean
}

export function filterFrom({ task, queue, kind, origin, tag, on, off, broken }: FilterFlags): ScheduleFilter {
  if (on && off) throw new ConfigError('Give either --on or --off.')
  return { task, queue, kind, origin, tag, enabled: on ? true : off ? false : undefined, error: broken }
}

export async function list(flags: FilterFlags & { limit?: number; after?: string }): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const place = { order: 'name', limit: flags.limit ?? 50, after: flags.after } as const
    const { items, more } = await control.list(PROCESS, filterFrom(flags), place)
    const next = more ? items.at(-1)!.name : null
    if (json) say({ items, next })
    else if (items.length === 0) tell('No schedules match.')
    else say(tableOf([['NAME', 'TASK', 'WHEN', 'NEXT', 'STATE'], ...items.map(rowOf)]))
    if (next !== null && !json) tell(`There are more: --after ${JSON.stringify(next)}`)
  })
}

export async function show(which: string, flags: Flags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const id = await locate(control, which)
    const schedule = await control.read(PROCESS, id)
    if (json) return say(schedule)
    const { text, ...rest } = schedule
    const lines = [['when', text ?? 'cannot be read'], ...Object.entries(rest)]
    say(tableOf(lines.map(([key, value]) => [key as string, cellOf(value)])))
    if (text === null) return
    const preview = await control.preview(PROCESS, id, { count: 5 })
    say(`\n${instantsOf(preview)}`)
    tellNotes(preview)
  })
}

export async function firings(
  which: string,
  flags: Flags & { state?: string; limit?: number; before?: string },
): Promise<number> {
  const { before, limit = 20 } = flags
  const states = statesFrom(flags.state)
  return await atDesk(flags, async ({ control, json }) => {
    const id = await locate(control, which)
    const { items, before: next } = await control.firings(PROCESS, id, { states, before, limit })
    if (json) say({ items, next })
    else if (items.length === 0) tell('No firings match.')
    else say(tableOf([['DUE', 'STATE', 'LATE', 'RUN'], ...items.map(firingRow)]))
    if (next !== null && !json) tell(`There are more: --before ${next}`)
  })
}

export async function preview(
  which: string | undefined,
  flags: Flags & TimingFlags & { after?: string; count?: number },
): Promise<number> {
  const schedule = timingFrom(flags)
  if ((which === undefined) === (schedule === null))
    throw new ConfigError('Name a schedule, or say when: one of --cron, --every, --solar, --at.')
  const afterMs = flags.after === undefined ? undefined : Date.parse(flags.after)
  const question = { afterMs, count: flags.count ?? 10 }
  return await atDesk(flags, async ({ control, json }) => {
    const told =
      which === undefined
        ? await control.previewDraft(PROCESS, { schedule, ...question })
        : await control.preview(PROCESS, await locate(control, which), question)
    if (json) return say(told)
    tell(told.text)
    if (told.next.length > 0) say(instantsOf(told))
    tellNotes(told)
  })
}

export async function orphans(flags: Flags): Promise<number> {
  return await atDesk(
    flags,
    async ({ control, config, given, json }) => {
      const { schedules } = await loadModules(config, given)
      // Each beat declares one of its own, which has the name of its task.
      const declared = [CLEANUP_TASK, ...schedules.map((schedule) => schedule.name)]
      const items = await control.orphans(PROCESS, declared)
      if (json) say({ items, next: null })
      else if (items.length === 0) tell('None: the code here declares every schedule that code ever did.')
      else say(tableOf([['NAME', 'TASK', 'WHEN', 'NEXT', 'STATE'], ...items.map(rowOf)]))
    },
    true,
  )
}

function rowOf(schedule: ScheduleDocument): string[] {
  const { name, task, text, next_run_at } = schedule
  return [name, task, text ?? '?', next_run_at ?? '-', stateOf(schedule)]
}

function stateOf({ enabled, error, pause_reason, resume_at }: ScheduleDocument): string {
  if (error !== null) return `broken: ${error}`
  if (enabled) return 'on'
  const why = [pause_reason, resume_at && `until ${resume_at}`].filter(Boolean).join(', ')
  return why ? `off (${why})` : 'off'
}

function cellOf(value: unknown): string {
  if (value === null || value === '') return '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function statesFrom(text: string | undefined): FiringDocument['state'][] | undefined {
  return text?.split(',').map((given) => {
    const state = (['fired', 'skipped', 'missed'] as const).find(
      (known) => known === given.trim().toLowerCase(),
    )
    if (state) return state
    throw new ConfigError(`--state: "${given}" is no state of a firing; use fired, skipped, missed.`)
  })
}

function firingRow({ due_at, until_at, count, state, reason, lateness, run_id }: FiringDocument): string[] {
  const stretch =
    until_at === null || until_at === due_at ? '' : ` to ${until_at}, ${count ?? 'more than 10,000'}`
  return [
    `${due_at}${stretch}`,
    reason === null ? state : `${state} (${reason})`,
    lateness === null ? '-' : `${lateness.toFixed(3)} s`,
    run_id ?? '-',
  ]
}

/** A run that a change of the clock moved, dropped or doubled says so. */
const DST: Readonly<Record<string, string>> = {
  moved: 'moved: the clock jumps over its time',
  'first-only': 'once: this time comes twice',
  'first-of-two': 'the first of two: this time comes twice',
  'second-of-two': 'the second of two: this time comes twice',
}

function instantsOf({ runs, changes }: Preview): string {
  const rows = [
    ...runs.map(({ at, local, dst }) => [at, local, dst === null ? '' : (DST[dst] ?? dst)]),
    ...changes.map(({ at, before, after }) => [at, '', `the clock changes from ${before} to ${after}`]),
  ]
  return tableOf([['UTC', 'LOCAL', ''], ...rows.sort((a, b) => (a[0]! < b[0]! ? -1 : 1))])
}

function tellNotes({ notes }: Preview): void {
  for (const note of notes) tell(note)
}
