/**
 * `rowbeat doctor`: looks at a live set-up and says of each part whether it is well, and if not, how to mend it. It only reads.
 * What cannot be looked at, because something before it failed, is left out. Exit 1 when something fails, 3 when the database
 * cannot be reached.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { monotonicMs, nowMs } from '../../clock.ts'
import { createProblemControl } from '../../control/problems.ts'
import { explainDatabaseError } from '../../db/connect.ts'
import { toQueryable, type Queryable } from '../../db/handle.ts'
import { migrate } from '../../db/migrate.ts'
import {
  listHolders,
  listProcesses,
  readHotTables,
  readRights,
  readServerFacts,
} from '../../db/statements/diagnosis.ts'
import { RowbeatError } from '../../errors.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { explainAbsence, findDatabase, withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { asRowbeatError, EXIT, say, tell } from '../words.ts'
import { fail, ok, warn, type Finding } from './finding.ts'
import { examineFleet, examineRights } from './fleet.ts'
import { examineHost } from './host.ts'
import { examineHolders, examineServer, examineTables } from './server.ts'

export async function doctor(flags: Flags): Promise<number> {
  const { config, json } = await readSettings(flags)
  const url = findDatabase(config)
  const findings = examineHost(config.dataDir)
  let isReachable = true
  try {
    await withRowbeat(config, (rowbeat) => examineStore(rowbeat, url, findings))
  } catch (error) {
    const said = asRowbeatError(explainAbsence(error, config))
    if (said.code !== 'RB_DB_UNREACHABLE') throw error
    isReachable = false
    findings.push(
      fail('server', said.message, 'Start it, or correct the address; nothing else was looked at.'),
    )
  }
  tellFindings(findings, json)
  if (!isReachable) return EXIT.unreachable
  return findings.some(({ level }) => level === 'fail') ? EXIT.failed : EXIT.done
}

async function examineStore(rowbeat: Rowbeat, url: string, findings: Finding[]): Promise<void> {
  const db = toQueryable(rowbeat.db)
  findings.push(...(await examineDatabase(db)))
  const behind = await examineMigrations(url)
  findings.push(behind)
  if (behind.level === 'fail') return
  const part = async (check: string, look: () => Promise<Finding[]>): Promise<void> => {
    findings.push(...(await look().catch((error: unknown) => [unseen(check, error)])))
  }
  await part('rights', async () => [examineRights(await readRights(db))])
  await part('tables', async () => examineTables(await readHotTables(db)))
  await part('transactions', async () => examineHolders(await listHolders(db)))
  await part('processes', async () =>
    examineFleet(await listProcesses(db), await createProblemControl(db).list(PROCESS)),
  )
}

/** The middle of the way there and back is when the server looked at its clock. */
async function examineDatabase(db: Queryable): Promise<Finding[]> {
  await readServerFacts(db)
  const [before, startedAt] = [nowMs(), monotonicMs()]
  const facts = await readServerFacts(db)
  const tripMs = monotonicMs() - startedAt
  return examineServer(facts, before + tripMs / 2 - facts.nowMs, tripMs)
}

async function examineMigrations(url: string): Promise<Finding> {
  try {
    const { pending } = await migrate({ url, dryRun: true })
    if (pending.length === 0) return ok('schema', 'is the one of this release')
    const words = `${pending.length} migrations are pending, from ${pending[0]!.name} on`
    return fail('schema', words, 'Run `rowbeat migrate`.')
  } catch (error) {
    if (!(error instanceof RowbeatError)) return unseen('schema', error)
    if (error.code === 'RB_DB_UNREACHABLE') throw error
    const [words, cure] = error.message.split(': ')
    return fail('schema', words!, cure ?? 'Install the release that made it.')
  }
}

/** A role that may not look somewhere is told so, and the rest is looked at. */
function unseen(check: string, thrown: unknown): Finding {
  const error = explainDatabaseError(thrown) as { code?: string; message: string }
  if (error.code === 'RB_DB_UNREACHABLE') throw error
  return warn(
    check,
    `could not be looked at: ${error.message}`,
    'Ask with a role that may: the owner of the store.',
  )
}

function tellFindings(findings: readonly Finding[], json: boolean): void {
  const count = (wanted: Finding['level']): number => findings.filter(({ level }) => level === wanted).length
  const counts = { ok: count('ok'), warn: count('warn'), fail: count('fail') }
  if (json) return say({ items: findings, counts })
  const width = Math.max(...findings.map(({ check }) => check.length))
  say(
    findings
      .map(({ check, level, message, cure }) => {
        const line = `${level.padEnd(4)}  ${check.padEnd(width)}  ${message}`
        return cure === null ? line : `${line}\n${' '.repeat(width + 8)}-> ${cure}`
      })
      .join('\n'),
  )
  tell(`${counts.ok} ok, ${counts.warn} to look at, ${counts.fail} to mend.`)
}
