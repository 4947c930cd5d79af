/**
 * `rowbeat tasks`: what the code of running processes declared; of one task all there is to know: its limits, who has it, how its
 * runs do, and the schema of its input. REST answers the same documents.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createTaskControl, type TaskDocument, type TaskStats } from '../control/task-reading.ts'
import { toQueryable } from '../db/handle.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { indented, tableOf } from './table.ts'
import { EXIT, say, tell } from './words.ts'

export interface TasksFlags extends Flags {
  /** Milliseconds. */
  period?: number
}

const DAY_MS = 86_400_000

export async function tasks(name: string | undefined, flags: TasksFlags): Promise<number> {
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createTaskControl(toQueryable(rowbeat.db))
    if (name === undefined) {
      const items = await control.list(PROCESS)
      if (json) say({ items, next: null })
      else if (items.length === 0) tell('No process has registered a task yet.')
      else say(tableOf([HEADS, ...items.map(rowOf)]))
      return EXIT.done
    }
    const task = await control.read(PROCESS, name, (flags.period ?? DAY_MS) / 1000)
    say(json ? task : toText(task))
    return EXIT.done
  })
}

const HEADS = ['TASK', 'QUEUE', 'TRIES', 'LIMITS', 'WORKERS', 'SCHEDULES', 'SEEN']

function rowOf(task: TaskDocument): string[] {
  const { name, queue, attempts_max, workers, schedules, seen_at } = task
  return [
    name,
    queue ?? 'default',
    String(attempts_max ?? 1),
    limitsOf(task),
    String(workers.length),
    String(schedules.length),
    seen_at,
  ]
}

function limitsOf({ concurrency, rate, rate_burst, time_limit, soft_time_limit }: TaskDocument): string {
  const limits = [
    concurrency === null ? '' : `${concurrency} at once`,
    rate === null ? '' : rate_burst === null ? rate : `${rate} burst ${rate_burst}`,
    time_limit === null ? '' : `${time_limit} s`,
    soft_time_limit === null ? '' : `soft ${soft_time_limit} s`,
  ]
  return limits.filter(Boolean).join(', ') || '-'
}

function toText({ stats, input_schema, schedules, ...task }: TaskDocument & { stats: TaskStats }): string {
  const lines = [
    tableOf([
      ...Object.entries(task).map(([key, value]) => [key, cell(value)]),
      ...schedules.map(({ name, enabled, next_run_at }) => [
        'schedule',
        `${name} (${enabled ? `next ${next_run_at ?? '-'}` : 'off'})`,
      ]),
      ...statRows(stats),
    ]),
  ]
  if (input_schema !== null) lines.push('', 'input', indented(JSON.stringify(input_schema, null, 2), 2))
  return lines.join('\n')
}

function statRows({ period, finished, capped, failed, revoked, duration, wait }: TaskStats): string[][] {
  const spans = ({ mean, p50, p95 }: TaskStats['wait']): string =>
    mean === null ? '-' : `mean ${seconds(mean)}, p50 ${seconds(p50)}, p95 ${seconds(p95)}`
  return [
    ['finished', `${capped ? 'at least ' : ''}${finished} of those enqueued in the last ${period / 3600} h`],
    ['failed', String(failed)],
    ['revoked', String(revoked)],
    ['took', spans(duration)],
    ['waited', spans(wait)],
  ]
}

function seconds(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(3)} s`
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  if (Array.isArray(value)) return value.join(', ') || '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
