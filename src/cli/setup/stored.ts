/**
 * What the database holds against the code: is it there and at this release's schema, can each schedule that is stored fire, and
 * does it name a task that code here has, or that some process registered.
 */
import type { Config } from '../../config.ts'
import { toQueryable } from '../../db/handle.ts'
import { requireMigrated } from '../../db/migrate.ts'
import { readStoredSchedules } from '../../db/statements/diagnosis.ts'
import { RowbeatError } from '../../errors.ts'
import { isTask } from '../../tasks/task.ts'
import { explainAbsence, findDatabase, withRowbeat } from '../database.ts'
import type { Note } from './check.ts'
import type { Part } from './parts.ts'

/** Throws StoreError RB_DB_UNREACHABLE, ConfigError when no database is named. */
export async function checkStored(config: Config, parts: readonly Part[], note: Note): Promise<void> {
  const url = findDatabase(config)
  try {
    await requireMigrated(url, 'cli', config.prepare)
  } catch (error) {
    if (!(error instanceof RowbeatError) || error.code === 'RB_DB_UNREACHABLE')
      throw explainAbsence(error, config)
    return note({ level: 'fault', place: 'database', message: error.message })
  }
  const here = new Set(parts.flatMap(({ value }) => (isTask(value) ? [value.name] : [])))
  const { wrong, unknown } = await withRowbeat(config, (rowbeat) =>
    readStoredSchedules(toQueryable(rowbeat.db)),
  )
  for (const { name, error } of wrong) {
    const message = `schedule "${name}" cannot fire: ${error}; correct it with \`rowbeat schedules edit\`.`
    note({ level: 'fault', place: 'database', message })
  }
  for (const { name, task } of unknown.filter((one) => !here.has(one.task))) {
    const message = `schedule "${name}" runs "${task}", which no process ever registered and which is none of the tasks here: correct it with \`rowbeat schedules edit\`.`
    note({ level: 'warning', place: 'database', message })
  }
}
