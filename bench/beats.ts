/**
 * What the scenarios about schedules share: a store with many schedules that are not due, beats in processes of their own,
 * and what they and PostgreSQL spend. Everything is made by plain SQL, as a user would; no worker runs, so the runs that
 * are fired wait in their queue.
 */
import postgres from 'postgres'
import { startBeatProcess } from '../test/helpers/beat.ts'
import type { Process } from '../test/helpers/process.ts'
import { until } from './load.ts'
import { TICKS_PER_SECOND, ticksOfTrees } from './neighbours.ts'
import { readFileSync } from 'node:fs'

export interface Stage {
  readonly sql: postgres.Sql
  /** Starts beats; `url` when they are to go another way than straight to the store. */
  startBeats(count: number, url?: string): Promise<Process[]>
  /** All rows that are enabled have their next instant. */
  armed(): Promise<void>
  /** Call it to begin; call the answer for cores used since, by all beats and by PostgreSQL. */
  watchCpu(): Promise<() => Promise<{ beatCpu: number; storeCpu: number }>>
  teardown(handler: () => unknown): unknown
  close(): Promise<void>
}

export async function openStage(databaseUrl: string): Promise<Stage> {
  const handlers: (() => unknown)[] = []
  const teardown = (handler: () => unknown): unknown => handlers.push(handler)
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} })
  const [row] = await sql`select pg_backend_pid() as pid`
  const postmaster = parentOf(row!['pid'])
  const beats: Process[] = []
  const spentBy = async (beat: Process): Promise<number> => {
    const before = beat.stdout().match(/^cpu /gm)?.length ?? 0
    beat.kill('SIGUSR2')
    const said = (): string[] => beat.stdout().match(/^cpu \d+$/gm) ?? []
    await until('a beat says what it spent', () => said().length > before)
    return Number(said().at(-1)!.slice(4)) / 1e6
  }
  const spent = async () => ({
    at: performance.now(),
    beats: (await Promise.all(beats.map(spentBy))).reduce((sum, seconds) => sum + seconds, 0),
    store: postmaster ? ticksOfTrees([postmaster]) / TICKS_PER_SECOND : NaN,
  })
  return {
    sql,
    teardown,
    async startBeats(count, url = databaseUrl) {
      const started = await Promise.all(
        Array.from({ length: count }, () => startBeatProcess({ teardown }, url)),
      )
      beats.push(...started)
      return started
    },
    armed: () =>
      until(
        'every schedule is armed',
        async () => {
          const [left] = await sql`
            select count(*)::int as n from rowbeat.schedules where enabled and next_run_at is null and error is null`
          return left!['n'] === 0
        },
        100,
      ),
    async watchCpu() {
      const before = await spent()
      return async () => {
        const after = await spent()
        const seconds = (after.at - before.at) / 1000
        const share = (name: 'beats' | 'store'): number => (100 * (after[name] - before[name])) / seconds
        return { beatCpu: share('beats'), storeCpu: share('store') }
      }
    },
    async close() {
      for (const handler of handlers.toReversed()) await handler()
      await sql.end({ timeout: 1 })
    },
  }
}

/** 100,000 schedules, half by crontab in a zone, half by interval, none due within the hour; in portions, as rows come. */
export async function fillStore(sql: postgres.Sql, count = 100_000): Promise<void> {
  for (let from = 0; from < count; from += 10_000) {
    await sql`
      insert into rowbeat.schedules (name, task, schedule, input)
      select 'idle ' || n, 'bench.add', case n % 2
          when 0 then jsonb_build_object('kind', 'interval', 'every', 7, 'period', 'days')
          else jsonb_build_object('kind', 'crontab', 'minute', (n % 60)::text, 'hour', '3', 'day_of_month', '1', 'month_of_year', '1', 'timezone', 'Europe/Kyiv') end,
        jsonb_build_object('x', n, 'y', 1, 'note', 'a note of some length')
      from generate_series(${from}::int, ${Math.min(count, from + 10_000) - 1}::int) n`
  }
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null
  }
}
