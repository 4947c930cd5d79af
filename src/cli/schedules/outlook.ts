/**
 * Commands that look at schedules from further off: versions, dry-run, timeline.
 */
import { PROCESS } from '../../auth/scopes.ts'
import type { ScheduleVersion } from '../../control/schedule-outlook.ts'
import type { Flags } from '../options.ts'
import { tableOf } from '../table.ts'
import { say, tell } from '../words.ts'
import { atDesk, locate } from './setting.ts'

export async function versions(
  which: string,
  flags: Flags & { limit?: number; before?: number },
): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const id = await locate(control, which)
    const page = { below: flags.before ?? null, limit: flags.limit ?? 20 }
    const { items, before: next } = await control.versions(PROCESS, id, page)
    if (json) say({ items, next })
    else if (items.length === 0) tell('No versions match.')
    else say(tableOf([['VERSION', 'AT', 'BY', 'CHANGED', 'WHEN', 'REASON'], ...items.map(versionRow)]))
    if (next !== null && !json) tell(`There are more: --before ${next}`)
  })
}

function versionRow({ version, at, actor, action, changed, text, reason }: ScheduleVersion): string[] {
  const what = changed?.join(' ') ?? (action === null ? 'unknown' : 'made')
  return [String(version), at ?? '-', actor ?? '-', what, text ?? '?', reason ?? '-']
}

export async function dryRun(which: string, flags: Flags & { asOf?: string }): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const id = await locate(control, which)
    const told = await control.dryRun(PROCESS, id, { asOf: flags.asOf ?? null, body: null })
    if (json) return say(told)
    const { id: _nobodys, ...run } = told.run
    const known = Object.entries(run).filter(([, value]) => value !== null)
    say(
      tableOf(
        known.map(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
      ),
    )
    for (const note of told.notes) tell(note)
  })
}

export async function timeline(flags: Flags & { from?: string; hours?: number }): Promise<number> {
  const fromMs = flags.from === undefined ? undefined : Date.parse(flags.from)
  return await atDesk(flags, async ({ control, json }) => {
    const told = await control.timeline(PROCESS, { fromMs, hours: flags.hours ?? 24 })
    if (json) return say(told)
    const rows = told.items.map(({ name, text, count, instants }) => [
      instants[0]!,
      String(count),
      name,
      text,
    ])
    if (rows.length === 0) tell('Nothing is due.')
    else say(tableOf([['NEXT', 'INSTANTS', 'NAME', 'WHEN'], ...rows]))
    if (told.more) tell('There are more schedules than are told here.')
    for (const { at, times, count, schedules, jitter } of told.collisions) {
      const names = schedules.map(({ name }) => name).slice(0, 10)
      const often = times === 1 ? '' : `, ${times} times`
      tell(
        `${count} are due at once at ${at}${often}: ${names.join(', ')}. A jitter of ${jitter} s would part them.`,
      )
    }
  })
}
