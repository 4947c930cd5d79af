/** Schedules, their firings, previews and files as they are answered. */
import { orNull } from '../../check.ts'
import type { Backfill } from '../../control/backfill.ts'
import type { FiringFeedDocument } from '../../control/firings.ts'
import type { FiringDocument, ScheduleDocument } from '../../control/schedule-document.ts'
import type { Imported, ScheduleFile } from '../../control/schedule-exchange.ts'
import type { DryRun, RecentFiring, ScheduleVersion } from '../../control/schedule-outlook.ts'
import type { Collision, Timeline, TimelineRow } from '../../control/schedule-timeline.ts'
import { CATCH_UPS, OVERLAPS, type ScheduleDefinition } from '../../schedules/definition.ts'
import type { Preview } from '../../schedules/preview.ts'
import {
  ANY,
  COUNT,
  document,
  FLAG,
  ID,
  INTEGER,
  keysOf,
  listOf,
  MAYBE_COUNT,
  MAYBE_ID,
  MAYBE_INTEGER,
  MAYBE_MOMENT,
  MAYBE_NUMBER,
  MAYBE_TEXT,
  MOMENT,
  NUMBER,
  OBJECT,
  pageOf,
  TEXT,
  words,
} from './document.ts'
import { RUN } from './run.ts'

/** The timing as it is answered: complete and canonical, or what SQL wrote where that is no timing. */
const TIMING = { ...OBJECT, description: 'As `schedule` is taken, with each default written out' }

const WRITTEN = {
  name: TEXT,
  task: TEXT,
  input: ANY,
  schedule: TIMING,
  enabled: FLAG,
  queue: MAYBE_TEXT,
  priority: MAYBE_INTEGER,
  tags: listOf(TEXT),
  headers: OBJECT,
  expires: MAYBE_NUMBER,
  one_off: FLAG,
  start_at: MAYBE_MOMENT,
  end_at: MAYBE_MOMENT,
  jitter: MAYBE_NUMBER,
  overlap: words(...OVERLAPS),
  catch_up: words(...CATCH_UPS),
  catch_up_window: MAYBE_NUMBER,
  firings_max: MAYBE_COUNT,
  failures_max: MAYBE_COUNT,
  anchor_at: MAYBE_MOMENT,
  description: TEXT,
}

export const SCHEDULE = document<ScheduleDocument>('Schedule', {
  id: ID,
  ...WRITTEN,
  anchor_at: MOMENT,
  kind: TEXT,
  pause_reason: MAYBE_TEXT,
  resume_at: MAYBE_MOMENT,
  failures: COUNT,
  origin: words('user', 'code'),
  edited_at: MAYBE_MOMENT,
  version: COUNT,
  next_run_at: MAYBE_MOMENT,
  last_run_at: MAYBE_MOMENT,
  firings_total: COUNT,
  error: MAYBE_TEXT,
  created_at: MOMENT,
  updated_at: MOMENT,
  text: MAYBE_TEXT,
})
export const SCHEDULE_PAGE = pageOf(SCHEDULE)

const FIRED = {
  schedule_id: ID,
  due_at: MOMENT,
  state: words('fired', 'skipped', 'missed'),
  reason: MAYBE_TEXT,
  run_id: MAYBE_ID,
  fired_at: MAYBE_MOMENT,
  lateness: MAYBE_NUMBER,
  version: INTEGER,
  count: MAYBE_COUNT,
  until_at: MAYBE_MOMENT,
}
export const FIRING_PAGE = pageOf(document<FiringDocument>('Firing', FIRED))
export const FIRING_FEED_PAGE = pageOf(
  document<FiringFeedDocument>('FiringOfSchedule', { ...FIRED, schedule: MAYBE_TEXT, task: MAYBE_TEXT }),
)

export const BACKFILL = document<Backfill>('Backfill', {
  dry_run: FLAG,
  items: listOf(keysOf<Backfill['items'][number]>({ due_at: MOMENT, run_id: MAYBE_ID })),
  fired_before: COUNT,
})

export const PREVIEW = document<Preview>('Preview', {
  next: listOf(MOMENT),
  runs: listOf(
    keysOf<Preview['runs'][number]>({
      at: MOMENT,
      local: TEXT,
      dst: { anyOf: [words('moved', 'first-only', 'first-of-two', 'second-of-two'), { type: 'null' }] },
    }),
  ),
  changes: listOf(keysOf<Preview['changes'][number]>({ at: MOMENT, before: TEXT, after: TEXT })),
  text: TEXT,
  notes: listOf(TEXT),
})

const DEFINITION = document<ScheduleDefinition>('ScheduleDefinition', WRITTEN)
export const SCHEDULE_FILE = document<ScheduleFile>('ScheduleFile', {
  rowbeat: { const: 1 },
  schedules: listOf(DEFINITION),
})

export const IMPORTED = document<Imported>('Imported', { created: COUNT, replaced: COUNT, skipped: COUNT })

export const VERSION_PAGE = pageOf(
  document<ScheduleVersion>('ScheduleVersion', {
    version: COUNT,
    at: MAYBE_MOMENT,
    action: MAYBE_TEXT,
    actor: { ...MAYBE_TEXT, description: 'Told to those who may read the audit log' },
    actor_kind: orNull(words('key', 'user', 'process', 'database')),
    via: orNull(words('rest', 'cli', 'panel', 'sql')),
    reason: MAYBE_TEXT,
    changed: orNull(listOf(TEXT)),
    definition: DEFINITION,
    text: MAYBE_TEXT,
  }),
)

export const DRY_RUN = document<DryRun>('DryRun', {
  due_at: MOMENT,
  run: RUN,
  live: listOf(ID),
  notes: listOf(TEXT),
})

const RECENT_FIRING = document<RecentFiring>('RecentFiring', {
  ...FIRED,
  run_state: MAYBE_TEXT,
  run_seconds: MAYBE_NUMBER,
})
export const RECENT_FIRINGS = keysOf<{ items: unknown }>({
  items: listOf(
    keysOf<{ schedule_id: string; firings: unknown }>({ schedule_id: ID, firings: listOf(RECENT_FIRING) }),
  ),
})

export const TIMELINE = document<Timeline>('Timeline', {
  from: MOMENT,
  until: MOMENT,
  items: listOf(
    keysOf<TimelineRow>({
      id: ID,
      name: TEXT,
      task: TEXT,
      queue: MAYBE_TEXT,
      text: TEXT,
      jitter: MAYBE_NUMBER,
      count: COUNT,
      instants: listOf(MOMENT),
    }),
  ),
  collisions: listOf(
    keysOf<Collision>({
      at: MOMENT,
      times: COUNT,
      count: COUNT,
      schedules: listOf(keysOf<Collision['schedules'][number]>({ id: ID, name: TEXT })),
      jitter: NUMBER,
    }),
  ),
  more: FLAG,
})

export const DELETED_NOTE = keysOf<{ note: string }>({ note: TEXT })
