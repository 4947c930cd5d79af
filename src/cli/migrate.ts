/**
 * `rowbeat migrate`: brings the store to this release. `--dry-run` only names what is pending, `--sql` prints its SQL, for
 * those whose migrations go through other hands. Safe to run at any time, by any number at once.
 */
import { migrate } from '../db/migrate.ts'
import { ConfigError } from '../errors.ts'
import { explainAbsence, findDatabase } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { EXIT, say, tell } from './words.ts'

export interface MigrateFlags extends Flags {
  dryRun?: boolean
  sql?: boolean
}

export async function migrateStore(flags: MigrateFlags): Promise<number> {
  if (flags.dryRun && flags.sql) throw new ConfigError('Give either --dry-run or --sql.')
  const { config, json } = await readSettings(flags)
  const dryRun = Boolean(flags.dryRun || flags.sql)
  const { applied, pending } = await migrate({ url: findDatabase(config), dryRun }).catch(
    (error: unknown) => {
      throw explainAbsence(error, config)
    },
  )
  const names = dryRun ? pending.map((step) => step.name) : applied
  if (json) say({ applied, pending: flags.sql ? pending : pending.map((step) => step.name) })
  else if (flags.sql) for (const step of pending) say(`-- ${step.name}\n${step.sql.trimEnd()}\n`)
  else for (const name of names) say(name)
  tell(summary(names.length, dryRun))
  return EXIT.done
}

function summary(count: number, dryRun: boolean): string {
  if (count === 0) return 'The database is at the schema of this release.'
  const steps = count === 1 ? '1 step' : `${count} steps`
  return dryRun ? `${steps} pending; nothing was changed.` : `${steps} applied.`
}
