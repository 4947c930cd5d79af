/**
 * Our own processes and what they are there for. What is not well with queues, tasks, workers and schedules are the problems that REST
 * and the panel tell too; here they stand beside what was looked at and found well.
 */
import type { TroubleDocument } from '../../control/problems.ts'
import type { ProcessRow, Rights } from '../../db/statements/diagnosis.ts'
import { VERSION } from '../../version.ts'
import { counted, fail, ok, someOf, warn, type Finding } from './finding.ts'

export function examineRights({ user, owner, isOwner, mayUse, tables, functions }: Rights): Finding {
  if (isOwner) return ok('rights', `${user} owns the store`)
  const cure = `Workers, beats and API connect as ${owner}, who owns the store; other roles need what docs/howto/deploy.md grants them.`
  if (!mayUse) return fail('rights', `${user} may not use the schemas rowbeat and rowbeat_queue`, cure)
  const missing = [
    ...(tables.length > 0 ? [`may not write to ${tables.length} tables (${someOf(tables)})`] : []),
    ...(functions > 0 ? [`may not call ${functions} functions`] : []),
    'cannot make partitions for results',
  ]
  return warn('rights', `${user} ${missing.join(', ')}`, cure)
}

/** What is looked at, and which problems it may have. */
const SUBJECTS: readonly [check: string, codes: RegExp, well: string][] = [
  ['queues', /^queue_/, 'whatever waits is taken by some worker'],
  ['tasks', /^task_/, 'each run that waits is of a task that some worker knows'],
  ['schedules', /^schedule_/, 'each can fire, and none is late'],
  ['operations', /^operation_/, 'none is stuck'],
]

export function examineFleet(rows: readonly ProcessRow[], troubles: readonly TroubleDocument[]): Finding[] {
  const live = rows.filter(({ isAlive }) => isAlive)
  const found = [
    ...examineKind('worker', live, troubles),
    ...examineKind('beat', live, troubles),
    ...(live.length > 0 ? [examineVersions(live, troubles)] : []),
  ]
  for (const [check, codes, well] of SUBJECTS) {
    const wrong = troubles.filter(({ code }) => codes.test(code)).map((trouble) => toFinding(check, trouble))
    found.push(...(wrong.length > 0 ? wrong : [ok(check, well)]))
  }
  return found
}

function examineKind(
  kind: 'worker' | 'beat',
  live: readonly ProcessRow[],
  troubles: readonly TroubleDocument[],
): Finding[] {
  const check = `${kind}s`
  const names = live.filter((row) => row.kind === kind).map(({ name }) => name)
  const wrong = troubles
    .filter(
      ({ code }) => code === `no_${kind}` || (code.startsWith(`${kind}_`) && code !== 'worker_versions'),
    )
    .map((trouble) => toFinding(check, trouble))
  if (names.length > 0) return [ok(check, `${names.length} live: ${someOf(names)}`), ...wrong]
  if (wrong.some(({ level }) => level === 'fail')) return wrong
  return kind === 'worker'
    ? [...wrong, fail(check, 'none lives: nothing is run', 'Start one: rowbeat worker.')]
    : [...wrong, ok(check, 'none lives, and no schedule waits for one')]
}

/** Of all processes, and against the release that asks. */
function examineVersions(live: readonly ProcessRow[], troubles: readonly TroubleDocument[]): Finding {
  const told = troubles.find(({ code }) => code === 'worker_versions')
  if (told) return toFinding('versions', told)
  const strange = live.filter(({ version }) => version !== VERSION)
  if (strange.length === 0) return ok('versions', `${counted(live.length, 'process')} of ${VERSION}`)
  const names = strange.map(({ name, version }) => `${name} (${version})`)
  return warn(
    'versions',
    `${someOf(names)}: of another release than this, ${VERSION}`,
    'Finish the deployment, or ask with the same release.',
  )
}

function toFinding(check: string, { level, detail, mend }: TroubleDocument): Finding {
  return level === 'error' ? fail(check, detail, mend) : warn(check, detail, mend)
}
