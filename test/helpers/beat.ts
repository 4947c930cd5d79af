/**
 * Beats for tests, in processes of their own, and what became of the instants of interval schedules: an oracle that
 * knows nothing of the engine. An instant is the anchor and a whole number of intervals; each that lies after the
 * schedule was made and not after its end must have been fired, once, not early, by one run.
 */
import type postgres from 'postgres'
import { startProcess, type Process, type ProcessOptions } from './process.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

/** A beat in a process of its own that has said `ready`. */
export async function startBeatProcess(
  t: Owner,
  url: string,
  { env, ...options }: Record<string, unknown> & Pick<ProcessOptions, 'env'> = {},
): Promise<Process> {
  const args = [JSON.stringify({ databaseUrl: url, ...options })]
  const child = startProcess(t, 'test/fixtures/beat-process.ts', { args, ...(env ? { env } : {}) })
  await child.line(/^ready$/, 30_000)
  return child
}

export interface Ticking {
  name: string
  everyMs: number
  /** Milliseconds after the moment they are made until the last instant that may be one; default never. */
  endsAfterMs?: number
  task?: string
  catchUp?: 'skip' | 'last' | 'all'
}

/** Makes interval schedules, counted from now, by plain SQL. */
export async function makeTicking(sql: postgres.Sql, schedules: readonly Ticking[]): Promise<void> {
  await sql`
    insert into rowbeat.schedules (name, task, schedule, catch_up, end_at, anchor_at)
    select s.name, coalesce(s.task, 'test.scripted'), jsonb_build_object('kind', 'interval', 'every', s."everyMs", 'period', 'milliseconds'),
      coalesce(s."catchUp", 'all'), now() + s."endsAfterMs" * interval '1 millisecond', now()
    from jsonb_to_recordset(${JSON.stringify(schedules)}::text::jsonb) s(name text, task text, "everyMs" integer, "endsAfterMs" float8, "catchUp" text)`
}

/** What the store says of one instant, or what should have been and is not there. */
export interface Instant {
  schedule: string
  dueMs: number
  /** null: it was not fired. */
  latenessMs: number | null
}

export interface Reckoning {
  expected: number
  instants: Instant[]
  missed: Instant[]
  /** Fired before their time. */
  early: Instant[]
  /** Runs of an instant beyond its first. */
  doubled: number
  /** Firings of instants that are none, and firings or runs the one without the other. */
  unexplained: string[]
}

/**
 * Counts up what became of the instants of all interval schedules in milliseconds, up to `untilMs` of the database's
 * clock or their end; none ran or was edited before it was made.
 */
export async function reckon(sql: postgres.Sql, untilMs: number): Promise<Reckoning> {
  const schedules = await sql<
    { id: string; name: string; every: number; anchor: number; made: number; end: number | null }[]
  >`
    select id, name, (schedule->>'every')::int as every, (extract(epoch from anchor_at) * 1000)::float8 as anchor,
      floor(extract(epoch from created_at) * 1000)::float8 as made, (extract(epoch from end_at) * 1000)::float8 as end
    from rowbeat.schedules where schedule->>'period' = 'milliseconds'`
  const firings = await sql<
    { id: string; due: number; state: string; late: number; runs: number; own: boolean }[]
  >`
    select f.schedule_id as id, (extract(epoch from f.due_at) * 1000)::float8 as due, f.state, (extract(epoch from f.lateness) * 1000)::float8 as late,
      coalesce(cardinality(r.ids), 0) as runs, coalesce(f.run_id = any (r.ids), false) as own
    from rowbeat.firings f left join rowbeat.schedules s on s.id = f.schedule_id
    left join (select schedule, due_at, array_agg(id) as ids from rowbeat.runs group by 1, 2) r on r.schedule = s.name and r.due_at = f.due_at`
  const [strays] = await sql<{ n: number }[]>`
    select count(*)::int as n from rowbeat.runs r where r.schedule is not null and not exists (select from rowbeat.firings f where f.run_id = r.id)`
  const found = new Map(firings.map((firing) => [`${firing.id} ${firing.due}`, firing]))
  const known = new Set(schedules.map(({ id }) => id))
  const reckoning: Reckoning = {
    expected: 0,
    instants: [],
    missed: [],
    early: [],
    doubled: 0,
    unexplained: [],
  }
  if (strays!.n > 0) reckoning.unexplained.push(`${strays!.n} runs belong to no firing`)
  for (const { id, name, every, anchor, made, end } of schedules) {
    const last = Math.min(end ?? Infinity, untilMs)
    for (let due = anchor + every; due <= last; due += every) {
      if (due <= made) continue
      const firing = found.get(`${id} ${due}`)
      found.delete(`${id} ${due}`)
      const isFired = firing?.state === 'fired'
      const instant = { schedule: name, dueMs: due, latenessMs: isFired ? firing.late : null }
      reckoning.expected++
      reckoning.instants.push(instant)
      if (!isFired) reckoning.missed.push(instant)
      else if (firing.late < 0) reckoning.early.push(instant)
      if (isFired && !firing.own) reckoning.unexplained.push(`${name} at ${due} has no run`)
      reckoning.doubled += Math.max(0, (firing?.runs ?? 1) - 1)
    }
  }
  for (const { id, due, state, late } of found.values()) {
    if (!known.has(id)) continue
    if (late < 0) reckoning.early.push({ schedule: id, dueMs: due, latenessMs: late })
    else if (due <= untilMs) reckoning.unexplained.push(`${id} has ${state} at ${due}, which is no instant`)
  }
  return reckoning
}
