/**
 * Schedules that the code declares. A missing one is made; one that stands is updated while nobody edited it; an edited
 * one belongs to its editor until it is reverted. What code once declared and this code does not is named, never removed:
 * it may be another service's.
 *
 * Each beat declares one of its own, `rowbeat.cleanup`, which any worker of the queue `default` runs.
 */
import type { Queryable } from '../db/handle.ts'
import { declareDefinitions } from '../db/statements/beat.ts'
import { listOrphans } from '../db/statements/schedules.ts'
import { cron, listSchedules, schedule, type ScheduleTree } from '../schedules/schedule.ts'
import { CLEANUP_TASK } from '../dispatcher/cleanup.ts'
import type { BeatEvents } from './events.ts'

export interface DeclareOptions {
  schedules: ScheduleTree
  timezone: string
  events: BeatEvents
}

/** Throws ScheduleError: a name twice, a zone that is none. */
export async function declareSchedules(
  db: Queryable,
  { schedules, timezone, events }: DeclareOptions,
): Promise<void> {
  const cleanup = schedule(
    'rowbeat.cleanup',
    cron('0 4 * * *'),
    CLEANUP_TASK,
    {},
    {
      expires: '12 hours',
      description: 'Removes results and firings whose time is over.',
    },
  )
  const definitions = listSchedules([schedules, cleanup]).map((item) => item.resolve(timezone))
  for (const { name, outcome } of await declareDefinitions(db, definitions))
    if (outcome !== 'unchanged') events.emit('schedule:declared', { name, outcome })
  const declared = definitions.map((definition) => definition.name)
  const orphans = (await listOrphans(db, declared)).map((text) => JSON.parse(text) as { name: string })
  if (orphans.length > 0) events.emit('schedule:orphaned', { names: orphans.map(({ name }) => name) })
}
