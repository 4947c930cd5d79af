/** Schedules, their firings, previews and files as they are answered. */
import type { Backfill } from '../../control/backfill.ts'
import type { FiringDocument, ScheduleDocument } from '../../control/schedule-document.ts'
import type { Imported, ScheduleFile } from '../../control/schedule-exchange.ts'
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
  OBJECT,
  pageOf,
  TEXT,
  words,
} from './document.ts'

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

const FIRING = document<FiringDocument>('Firing', {
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
})
export const FIRING_PAGE = pageOf(FIRING)

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

export const SCHEDULE_FILE = document<ScheduleFile>('ScheduleFile', {
  rowbeat: { const: 1 },
  schedules: listOf(document<ScheduleDefinition>('ScheduleDefinition', WRITTEN)),
})

export const IMPORTED = document<Imported>('Imported', { created: COUNT, replaced: COUNT, skipped: COUNT })

export const DELETED_NOTE = keysOf<{ note: string }>({ note: TEXT })
