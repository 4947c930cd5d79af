/**
 * Why a schedule is not what somebody asked for: not there, refused, changed meanwhile. One wording for REST, panel and
 * command line; what PostgreSQL says comes back as the same errors, so that a rule that only the database holds is told
 * like any other.
 */
import { explainDatabaseError } from '../db/connect.ts'
import { EnqueueError, ScheduleError, type Fault } from '../errors.ts'

export function refuseSchedule(faults: readonly Fault[]): ScheduleError {
  const [first] = faults as [Fault]
  const words = `${first.pointer} ${first.detail}`.trim()
  return new ScheduleError('RB_SCHEDULE_INVALID', `The schedule is refused: ${words}.`, faults)
}

export function unknownSchedule(which: string): ScheduleError {
  return new ScheduleError('RB_SCHEDULE_NOT_FOUND', `No schedule is ${which}: it was never made, or deleted.`)
}

export function changedSchedule(name: string, version: number): ScheduleError {
  return new ScheduleError(
    'RB_SCHEDULE_CHANGED',
    `The schedule ${JSON.stringify(name)} is at version ${version} now: read it again, and repeat your change.`,
  )
}

export function undeclaredSchedule(name: string): ScheduleError {
  return new ScheduleError(
    'RB_SCHEDULE_UNDECLARED',
    `The schedule ${JSON.stringify(name)} was never declared by code, so there is nothing to go back to.`,
  )
}

const STANDS = 'is the name of a schedule that stands already; take another'
/** Constraints whose name does not end in a column. */
const COLUMN_OF: Readonly<Record<string, string>> = { schedules_span: 'end_at', schedules_shape: 'schedule' }

/** What PostgreSQL refuses of a schedule, as an error with a pointer where it names the place. */
export function explainScheduleRefusal(error: unknown): unknown {
  const { code = '', message, constraint_name, constraint } = error as PostgresError
  if (code === '23505')
    return new ScheduleError(
      'RB_SCHEDULE_DUPLICATE',
      `/name ${STANDS}.`,
      [{ pointer: '/name', detail: STANDS }],
      { cause: error },
    )
  if (!/^(23514|23502|22\d\d\d|54000|54001)$/.test(code)) return explainDatabaseError(error)
  const [, column, words] = /^([a-z_]+): (.*)$/s.exec(message) ?? []
  const place = column ?? columnOf(constraint_name ?? constraint ?? '')
  const fault = { pointer: place ? `/${place}` : '', detail: words ?? `cannot be stored: ${message}` }
  return code.startsWith('54')
    ? new EnqueueError('RB_INPUT_TOO_LARGE', `${fault.pointer} ${fault.detail}`, [fault], { cause: error })
    : refuseSchedule([fault])
}

interface PostgresError {
  code?: string
  message: string
  /** As postgres.js and as node-postgres name it. */
  constraint_name?: string
  constraint?: string
}

function columnOf(constraint: string): string {
  return COLUMN_OF[constraint] ?? /^schedules_([a-z_]+?)_check\d*$/.exec(constraint)?.[1] ?? ''
}
