/** What the addresses of schedules take and give; schedules.ts beside it serves them. */
import { ANSWERED } from '../../control/schedule-document.ts'
import { CHANGES_BODY, DEFINITION_BODY } from '../../schedules/definition.ts'
import { RUN } from '../documents/run.ts'
import {
  BACKFILL,
  DELETED_NOTE,
  DRY_RUN,
  FIRING_PAGE,
  IMPORTED,
  PREVIEW,
  RECENT_FIRINGS,
  SCHEDULE,
  SCHEDULE_FILE,
  SCHEDULE_PAGE,
  TIMELINE,
  VERSION_PAGE,
} from '../documents/schedule.ts'
import { endpoint, type Schema } from '../endpoint.ts'
import { BY_HAND_BODY } from '../run-body.ts'
import {
  BACK_BODY,
  DRAFT_BODY,
  DRAFT_REHEARSAL_BODY,
  NOTHING_BODY,
  PAUSE_BODY,
  REHEARSAL_BODY,
  STRETCH_BODY,
} from '../schedule-body.ts'
import {
  FILTER_PARAMETERS,
  FIRING_PARAMETERS,
  IMPORT_PARAMETERS,
  LIST_PARAMETERS,
  PREVIEW_PARAMETERS,
  RECENT_PARAMETERS,
  TIMELINE_PARAMETERS,
  VERSION_PARAMETERS,
} from '../schedule-query.ts'

const READ = { auth: 'scope', scope: 'schedules:read' } as const
const WRITE = { auth: 'scope', scope: 'schedules:write' } as const

const tag = 'schedules'
const nothing = { schema: NOTHING_BODY, isOptional: true }
const one = { description: 'The schedule', schema: SCHEDULE, headers: ['ETag'] as const }
const NEEDED: Schema = { type: 'string', description: 'The ETag of the schedule as it was read, or *' }
const MATCH: Schema = { ...NEEDED, description: 'Only if the schedule is of this version' }
/** The header is needed; without it the answer is 428. */
const changing = { 'If-Match': NEEDED }
const heeding = { 'If-Match': MATCH }
const CHANGE = ['RB_SCHEDULE_NOT_FOUND', 'RB_SCHEDULE_CHANGED'] as const
/** What a definition may be refused for. */
const DEFINITION = ['RB_SCHEDULE_INVALID', 'RB_SCHEDULE_DUPLICATE', 'RB_TASK_UNKNOWN'] as const
const NIGHTLY = {
  name: 'nightly sum',
  task: 'demo.add',
  input: { x: 1, y: 2 },
  schedule: { kind: 'crontab', minute: '0', hour: '3', timezone: 'Europe/Kyiv' },
  expires: '2 hours',
  overlap: 'skip',
}

export const LIST = endpoint(READ, {
  id: 'listSchedules',
  tag,
  summary: 'Schedules',
  query: LIST_PARAMETERS,
  answers: { 200: { description: 'A page of schedules', schema: SCHEDULE_PAGE } },
})
export const CREATE = endpoint(WRITE, {
  id: 'createSchedule',
  tag,
  summary: 'Makes a schedule',
  body: { schema: DEFINITION_BODY, example: NIGHTLY },
  answers: { 201: { description: 'It was made', schema: SCHEDULE, headers: ['Location', 'ETag'] } },
  problems: DEFINITION,
})
export const GET = endpoint(READ, {
  id: 'getSchedule',
  tag,
  summary: 'One schedule',
  answers: { 200: one },
  problems: ['RB_SCHEDULE_NOT_FOUND'],
})
export const PUT = endpoint(WRITE, {
  id: 'replaceSchedule',
  tag,
  summary: 'Replaces it',
  description: 'What is only answered may be left in the body, and is not looked at.',
  headers: changing,
  body: { schema: withAnswered(DEFINITION_BODY), example: { ...NIGHTLY, enabled: false } },
  answers: { 200: one },
  problems: [...CHANGE, ...DEFINITION, 'RB_PRECONDITION_MISSING'],
})
export const PATCH = endpoint(WRITE, {
  id: 'editSchedule',
  tag,
  summary: 'Changes some of it',
  headers: changing,
  body: { schema: CHANGES_BODY, example: { schedule: { hour: '4' }, description: 'an hour later' } },
  answers: { 200: one },
  problems: [...CHANGE, ...DEFINITION, 'RB_PRECONDITION_MISSING'],
})
export const REMOVE = endpoint(WRITE, {
  id: 'deleteSchedule',
  tag,
  summary: 'Deletes it',
  headers: changing,
  body: nothing,
  answers: {
    204: { description: 'It is gone' },
    200: { description: 'It is gone until its code declares it again', schema: DELETED_NOTE },
  },
  problems: [...CHANGE, 'RB_SCHEDULE_INVALID', 'RB_PRECONDITION_MISSING'],
})
export const RUN_NOW = endpoint(WRITE, {
  id: 'runSchedule',
  tag,
  summary: 'Enqueues a run of it now',
  headers: heeding,
  body: { schema: BY_HAND_BODY, isOptional: true, example: { as_of: '2026-01-31T03:00:00Z' } },
  answers: { 202: { description: 'The run was made', schema: RUN, headers: ['Location'] } },
  problems: [
    ...CHANGE,
    'RB_SCHEDULE_INVALID',
    'RB_OPTION_INVALID',
    'RB_TASK_UNKNOWN',
    'RB_QUEUE_UNKNOWN',
    'RB_RUN_DUPLICATE',
  ],
})
export const PAUSE = endpoint(WRITE, {
  id: 'pauseSchedule',
  tag,
  summary: 'Switches it off',
  headers: heeding,
  body: { schema: PAUSE_BODY, isOptional: true, example: { reason: 'holidays', until: '2 weeks' } },
  answers: { 200: one },
  problems: [...CHANGE, 'RB_SCHEDULE_INVALID'],
})
export const RESUME = endpoint(WRITE, {
  id: 'resumeSchedule',
  tag,
  summary: 'Switches it on',
  headers: heeding,
  body: nothing,
  answers: { 200: one },
  problems: [...CHANGE, 'RB_SCHEDULE_INVALID'],
})
export const REVERT = endpoint(WRITE, {
  id: 'revertSchedule',
  tag,
  summary: 'Gives it back to the code that declared it, or takes it back to a version it had',
  headers: heeding,
  body: { schema: BACK_BODY, isOptional: true },
  answers: { 200: one },
  problems: [...CHANGE, ...DEFINITION, 'RB_SCHEDULE_UNDECLARED'],
})
export const REFILL = endpoint(WRITE, {
  id: 'backfillSchedule',
  tag,
  summary: 'Fires instants of the past',
  headers: heeding,
  body: {
    schema: STRETCH_BODY,
    example: { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', dry_run: true },
  },
  answers: {
    202: { description: 'What was fired', schema: BACKFILL },
    200: { description: 'What would be fired', schema: BACKFILL },
  },
  problems: [...CHANGE, 'RB_SCHEDULE_INVALID'],
})
export const VERSIONS = endpoint(READ, {
  id: 'listVersions',
  tag,
  summary: 'What it was, latest first, and who made it so',
  query: VERSION_PARAMETERS,
  answers: { 200: { description: 'A page of versions', schema: VERSION_PAGE } },
  problems: ['RB_SCHEDULE_NOT_FOUND'],
})
export const REHEARSE = endpoint(WRITE, {
  id: 'dryRunSchedule',
  tag,
  summary: 'The run that a firing would make, and nothing is made',
  body: { schema: REHEARSAL_BODY, isOptional: true, example: { changes: { priority: 5 } } },
  answers: { 200: { description: 'What would be stored', schema: DRY_RUN } },
  problems: ['RB_SCHEDULE_NOT_FOUND', ...DEFINITION, 'RB_QUEUE_UNKNOWN'],
})
export const REHEARSE_DRAFT = endpoint(WRITE, {
  id: 'dryRunDefinition',
  tag,
  summary: 'The run that a schedule which is not saved would make',
  body: { schema: DRAFT_REHEARSAL_BODY, example: { definition: { ...NIGHTLY, name: 'rehearsed' } } },
  answers: { 200: { description: 'What would be stored', schema: DRY_RUN } },
  problems: [...DEFINITION, 'RB_QUEUE_UNKNOWN'],
})
export const RECENT = endpoint(READ, {
  id: 'listRecentFirings',
  tag,
  summary: 'The latest firings of several schedules, and what became of their runs',
  query: RECENT_PARAMETERS,
  answers: { 200: { description: 'The firings of each', schema: RECENT_FIRINGS } },
})
export const TIME = endpoint(READ, {
  id: 'getTimeline',
  tag,
  summary: 'The instants of all schedules in the hours ahead, and where they fall together',
  query: TIMELINE_PARAMETERS,
  answers: { 200: { description: 'The hours ahead', schema: TIMELINE } },
})
export const FIRED = endpoint(READ, {
  id: 'listFirings',
  tag,
  summary: 'What became of its instants, latest first',
  query: FIRING_PARAMETERS,
  answers: { 200: { description: 'A page of firings', schema: FIRING_PAGE } },
  problems: ['RB_SCHEDULE_NOT_FOUND'],
})
export const FORESEE = endpoint(READ, {
  id: 'previewSchedule',
  tag,
  summary: 'Its next instants',
  query: PREVIEW_PARAMETERS,
  answers: { 200: { description: 'The instants, and what there is to say of them', schema: PREVIEW } },
  problems: ['RB_SCHEDULE_NOT_FOUND', 'RB_SCHEDULE_INVALID'],
})
export const FORESEE_DRAFT = endpoint(READ, {
  id: 'previewTiming',
  tag,
  summary: 'The next instants of a timing that is not saved',
  body: {
    schema: DRAFT_BODY,
    example: { schedule: NIGHTLY.schedule, after: '2026-03-28T00:00:00Z', count: 3 },
  },
  answers: { 200: { description: 'The instants, and what there is to say of them', schema: PREVIEW } },
  problems: ['RB_SCHEDULE_INVALID'],
})
export const EXPORT = endpoint(READ, {
  id: 'exportSchedules',
  tag,
  summary: 'Schedules as a file',
  query: FILTER_PARAMETERS,
  answers: { 200: { description: 'The file', schema: SCHEDULE_FILE } },
})
export const IMPORT = endpoint(WRITE, {
  id: 'importSchedules',
  tag,
  summary: 'Makes the schedules of a file, all or none',
  query: IMPORT_PARAMETERS,
  body: {
    schema: {
      type: 'object',
      properties: { rowbeat: { const: 1 }, schedules: { type: 'array', items: DEFINITION_BODY } },
      required: ['rowbeat', 'schedules'],
      additionalProperties: false,
    },
    example: { rowbeat: 1, schedules: [{ ...NIGHTLY, name: 'imported' }] },
  },
  answers: { 200: { description: 'What became of each', schema: IMPORTED } },
  problems: DEFINITION,
})

function withAnswered({ title: _, ...schema }: Schema): Schema {
  const answered = Object.fromEntries(ANSWERED.map((key) => [key, {}]))
  return { ...schema, properties: { ...(schema.properties as object), ...answered } }
}
