/**
 * What mends each kind of problem, as far as the panel can: a verb of the API, a page where it is done, or a command to copy. What a
 * viewer's role does not allow is left out; the words of the problem say how it is mended anyway.
 */
import type { TroubleDocument } from '../../../src/control/problems.ts'
import type { Scope } from '../../../src/auth/scopes.ts'
import { client, confirm, go, t } from '../kit/kit.ts'
import { queuePlace, quoted, schedulePlace } from './places.ts'

export interface Fix {
  label: string
  scope: Scope
  /** False: it was thought better of. */
  run(): Promise<boolean>
  /** Goes somewhere: nothing is mended by that alone. */
  leads?: boolean
}

export interface Command {
  label: string
  text: string
}

/** Buttons of a problem, the likeliest first. */
export function fixesOf({ code, subject, links }: TroubleDocument): Fix[] {
  const name = subject ?? ''
  const schedule = /^\/v1\/schedules\/([^/]+)$/.exec(links[0] ?? '')?.[1] ?? ''
  const act = (label: string, scope: Scope, work: () => Promise<unknown>): Fix => ({
    label,
    scope,
    run: async () => {
      await work()
      return true
    },
  })
  const lead = (label: string, scope: Scope, place: string): Fix => ({
    ...act(label, scope, async () => go(place)),
    leads: true,
  })
  switch (code) {
    case 'queue_paused':
      return [act(t('problems.resume'), 'queues:write', () => client.resumeQueue(name))]
    case 'queue_unserved':
    case 'queue_slow':
      return [lead(t('problems.move'), 'queues:write', `${queuePlace(name)}?do=move`)]
    case 'task_unknown':
    case 'task_unserved':
      return [{ label: t('problems.revoke'), scope: 'runs:write', run: () => revokeWaiting(name) }]
    case 'run_poison':
      return [{ label: t('problems.retryLost'), scope: 'runs:write', run: () => retryLost(name) }]
    case 'schedule_error':
    case 'schedule_never':
      return [
        lead(t('problems.editSchedule'), 'schedules:write', schedulePlace(schedule, 'edit')),
        act(t('problems.pauseSchedule'), 'schedules:write', () => client.pauseSchedule(schedule)),
      ]
    case 'schedule_disabled':
      return [act(t('problems.resumeSchedule'), 'schedules:write', () => client.resumeSchedule(schedule))]
    case 'schedule_late':
      return [act(t('problems.runNow'), 'schedules:write', () => client.runSchedule(schedule, {}))]
    case 'operation_stuck':
      return [act(t('problems.stop'), 'runs:write', () => client.stopOperation(name))]
    case 'retention_behind':
      return [
        act(t('problems.cleanup'), 'runs:write', () =>
          client.enqueueRun({ task: 'rowbeat.cleanup', input: {} }),
        ),
      ]
    default:
      return []
  }
}

/** What is to be done where the panel cannot: on a machine, or in SQL. */
export function commandOf({ code, subject, detail, links }: TroubleDocument): Command | null {
  const command = (text: string): Command => ({ label: t('problems.copyCommand'), text })
  if (code === 'no_worker') return command('rowbeat worker')
  if (code === 'no_beat' || code === 'schedule_late') return command('rowbeat beat')
  if (code === 'queue_unserved' || code === 'queue_slow') return command(`rowbeat worker -Q ${subject}`)
  if (code === 'task_unserved') {
    const queue = new URLSearchParams(links[0]?.split('?')[1]).get('queue')
    return command(`rowbeat worker -Q ${queue ?? 'default'}`)
  }
  if (code === 'worker_silent' || code === 'worker_lag')
    return command(`rowbeat inspect report -d ${subject}`)
  if (code === 'transaction_old') {
    const isSession = detail.startsWith('A transaction of session ')
    const sql = isSession ? `select pg_terminate_backend(${subject});` : `rollback prepared '${subject}';`
    return { label: t('problems.copySql'), text: sql }
  }
  return null
}

async function revokeWaiting(task: string): Promise<boolean> {
  const yes = await confirm({
    title: t('problems.revokeAsk', { name: task }),
    danger: true,
    reason: true,
    action: t('problems.revoke'),
  })
  if (!yes) return false
  const filter = { task, state: ['PENDING'] }
  const { id } = await client.beginOperation({ kind: 'revoke', filter, ...yes })
  go(`/resources/runs?op=${id}&state=PENDING,REVOKED&q=${encodeURIComponent(`task:${quoted(task)}`)}`)
  return true
}

async function retryLost(task: string): Promise<boolean> {
  const yes = await confirm({
    title: t('problems.retryAsk', { name: task }),
    action: t('problems.retryLost'),
  })
  if (!yes) return false
  const q = `task:${quoted(task)} reason:worker_lost`
  const { id } = await client.beginOperation({ kind: 'retry', filter: { q, state: ['FAILURE'] } })
  go(`/resources/runs?op=${id}&q=${encodeURIComponent(`task:${quoted(task)}`)}`)
  return true
}
