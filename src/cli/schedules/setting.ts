/**
 * What the commands on schedules share: the control on the database that is named, and a schedule found by what people
 * call it.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import { createRunControl } from '../../control/runs.ts'
import { createScheduleControl, type Match, type ScheduleControl } from '../../control/schedules.ts'
import type { ScheduleDocument } from '../../control/schedule-document.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags, type Settings } from '../options.ts'
import { EXIT, say, tell } from '../words.ts'

export interface Desk extends Settings {
  control: ScheduleControl
  rowbeat: Rowbeat
}

export interface VersionFlags extends Flags {
  ifVersion?: number
}

/** Runs `work` with the control of schedules. `examples`: look for code as the processes that serve do. */
export async function atDesk(
  flags: Flags,
  work: (desk: Desk) => Promise<number | void>,
  examples = false,
): Promise<number> {
  const settings = await readSettings(flags, examples ? {} : null)
  const { timezone } = settings.config
  return await withRowbeat(settings.config, async (rowbeat) => {
    const control = createScheduleControl(rowbeat, { runs: createRunControl(rowbeat), timezone })
    return (await work({ ...settings, control, rowbeat })) ?? EXIT.done
  })
}

/** The id of a schedule that is named by name or id. Throws RB_SCHEDULE_NOT_FOUND. */
export async function locate(control: ScheduleControl, which: string): Promise<string> {
  if (!isUuid(which)) return await control.find(PROCESS, which)
  const id = which.toLowerCase()
  // A name may look like an id.
  return await control.require(PROCESS, id).then(
    () => id,
    (error: unknown) => control.find(PROCESS, which).catch(() => Promise.reject(error as Error)),
  )
}

export function matchOf({ ifVersion }: VersionFlags): Match {
  return ifVersion === undefined ? 'any' : [ifVersion]
}

/** The document with --json, else a sentence about it. */
export function answer({ json }: Desk, schedule: ScheduleDocument, words: string): void {
  if (json) say(schedule)
  else tell(`${schedule.name} ${words}.`)
}
