/**
 * A database with a running beat, and words for what tests of beats say again and again. Schedules are rows that a test
 * inserts by SQL, as any program might. Instants are brought about by writing `next_run_at`, never by waiting for them;
 * the bell that is rung with it spares the second until the beat would look by itself.
 */
import type postgres from 'postgres'
import { createBeat, type Beat, type BeatOptions } from '../../src/index.ts'
import type { BeatEventMap } from '../../src/beat/events.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

type Said<Name extends keyof BeatEventMap> = BeatEventMap[Name][0]

export interface Heard {
  refused: Said<'schedule:refused'>[]
  declared: Said<'schedule:declared'>[]
  orphaned: Said<'schedule:orphaned'>[]
  trouble: Said<'beat:trouble'>[]
}

export interface TestBeat {
  beat: Beat
  heard: Heard
}

export interface World extends Bundle, TestBeat {
  put(row: Columns): Promise<string>
  row(id: string): Promise<Row>
  firings(id: string): Promise<Firing[]>
  /** The next instant is `ago` before now, an interval of SQL; answers it. */
  makeDue(id: string, ago?: string): Promise<Date>
  /** As if no beat had run since then: the next instant is this one. */
  rewind(id: string, instant: string): Promise<void>
  /** Waits until the beat has worked out the next instant, or why there is none. */
  armed(id: string): Promise<Row>
  /** Waits until the row has an error, and answers it. */
  refused(id: string): Promise<string>
  /** Waits for so many firings in the state `fired`. */
  fired(id: string, count?: number): Promise<Firing[]>
}

/** Columns of rowbeat.schedules; name, task and schedule have a default. */
export type Columns = Record<string, unknown>

export interface Row extends Record<string, any> {
  id: string
  version: number
  enabled: boolean
  next_run_at: Date | null
  error: string | null
}

export interface Firing {
  due_at: Date
  state: 'fired' | 'skipped' | 'missed'
  reason: string | null
  run_id: string | null
  version: number
  count: number | null
  until_at: Date | null
}

/** Fires about three days from now, so never by itself in a test. */
export const seldom = { kind: 'interval', every: 3, period: 'days' }
export const every = (ms: number) => ({ kind: 'interval', every: ms, period: 'milliseconds' })

export async function openWorld(t: Owner, options: Partial<BeatOptions> = {}): Promise<World> {
  const bundle = await setup(t)
  const { sql, url } = bundle
  const put = createPut(sql)
  const row = async (id: string): Promise<Row> => {
    const [found] = await sql`select * from rowbeat.schedules where id = ${id}`
    return found as unknown as Row
  }
  const firings = async (id: string): Promise<Firing[]> => [
    ...(await sql<
      Firing[]
    >`select due_at, state, reason, run_id, version, count, until_at from rowbeat.firings where schedule_id = ${id} order by due_at`),
  ]
  const armed = (id: string): Promise<Row> =>
    until('the row is armed or refused', async () => {
      const now = await row(id)
      return (now.next_run_at || now.error) && now
    })
  return {
    ...bundle,
    ...(await startBeat(t, url, options)),
    put,
    row,
    firings,
    armed,
    async makeDue(id, ago = '0 s') {
      await armed(id)
      const [made] = await sql`update rowbeat.schedules
        set next_run_at = date_trunc('milliseconds', clock_timestamp()) - ${ago}::interval where id = ${id} returning next_run_at, pg_notify('rowbeat_schedules', '')`
      return made!.next_run_at
    },
    async rewind(id, instant) {
      await armed(id)
      await sql`update rowbeat.schedules set next_run_at = ${instant}::text::timestamptz where id = ${id} returning pg_notify('rowbeat_schedules', '')`
    },
    refused: (id) => until('the row has an error', async () => (await row(id)).error),
    fired: (id, count = 1) =>
      until(`${count} firings`, async () => {
        const found = (await firings(id)).filter(({ state }) => state === 'fired')
        return found.length >= count && found
      }),
  }
}

/** A started beat, stopped at teardown, and what it said. */
export async function startBeat(
  t: Owner,
  url: string,
  options: Partial<BeatOptions> = {},
): Promise<TestBeat> {
  const beat = createBeat({ databaseUrl: url, ...options })
  const heard: Heard = { refused: [], declared: [], orphaned: [], trouble: [] }
  beat.events.on('schedule:refused', (said) => heard.refused.push(said))
  beat.events.on('schedule:declared', (said) => heard.declared.push(said))
  beat.events.on('schedule:orphaned', (said) => heard.orphaned.push(said))
  beat.events.on('beat:trouble', (said) => heard.trouble.push(said))
  t.teardown(() => beat.stop())
  await beat.start()
  return { beat, heard }
}

/** INSERT of a row; answers its id. Columns as JSON: an interval and an instant are text. */
export function createPut(sql: postgres.Sql): World['put'] {
  let count = 0
  return async (columns) => {
    const row = { name: `schedule ${++count}`, task: 'test.nothing', schedule: seldom, ...columns }
    const names = Object.keys(row)
    const [made] = await sql`
      insert into rowbeat.schedules (${sql(names)})
      select ${sql(names)} from jsonb_populate_record(null::rowbeat.schedules, ${JSON.stringify(row)}::text::jsonb) returning id`
    return made!.id
  }
}

/** Due instants as text. */
export const dues = (firings: readonly Firing[]): string[] =>
  firings.map(({ due_at }) => due_at.toISOString())

export const ago = (date: Date): number => Date.now() - date.getTime()
