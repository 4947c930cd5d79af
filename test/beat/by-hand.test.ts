/** Runs of a schedule that somebody asks for: now, as of an instant, or for a stretch of the past. */
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { dues, openWorld } from './world.ts'

const world = await openWorld(t)
const { sql, put, row, firings, makeDue, rewind, fired } = world

const whole = {
  input: { report: 'daily' },
  queue: 'reports',
  priority: -7,
  tags: ['night'],
  headers: { trace: 'abc' },
  expires: '10 minutes',
  jitter: '1 hour',
}

const runNow = async (
  id: string,
  asOf: string | null = null,
  more: object | null = null,
): Promise<string> => {
  const [made] =
    await sql`select rowbeat.run_schedule_v1(${id}, ${asOf}::text::timestamptz, ${more && JSON.stringify(more)}::text::jsonb) as run`
  return made!.run
}
const readRun = async (id: string) => ({ ...(await sql`select * from rowbeat.runs where id = ${id}`)[0]! })
const backfill = async (id: string, instants: string[]) => [
  ...(await sql`select due_at, run_id from rowbeat.backfill_v1(${id}, ${instants}::text[]::timestamptz[]) order by due_at`),
]

t.test('celery row 17: a run asked for has every option that a scheduled one has', async (t) => {
  const id = await put({ name: 'every option', task: 'by.hand', ...whole })
  await makeDue(id)
  const [firing] = await fired(id)
  const scheduled = await readRun(firing!.run_id!)
  const before = new Date()
  const manual = await readRun(await runNow(id))
  // What must differ: who it is and when; jitter is for instants that many schedules share.
  const own = {
    id: null,
    created_at: null,
    run_at: null,
    due_at: null,
    expires_at: null,
    state: null,
    reason: null,
  }
  t.strictSame({ ...manual, ...own }, { ...scheduled, ...own })
  t.match(manual, { schedule: 'every option', state: 'PENDING', reason: null })
  t.ok(manual.expires_at >= new Date(before.getTime() + 600_000), 'expires counts from now')
  const [, second] = await firings(id)
  t.match(second, { state: 'fired', reason: 'manual', run_id: manual.id, due_at: manual.due_at, version: 1 })
  const { next_run_at } = await row(id)
  t.ok(next_run_at!.getTime() > Date.now() + 86_400_000, 'what is due by itself stays as it was')
})

t.test('options of the call win over those of the schedule', async (t) => {
  const id = await put({ task: 'by.hand', ...whole })
  const more = {
    input: { report: 'weekly' },
    priority: 3,
    queue: 'high',
    tags: [],
    delay: '1 hour',
    unique_key: 'once',
  }
  const run = await runNow(id, null, more)
  t.match(await readRun(run), {
    input: { report: 'weekly' },
    priority: 3,
    queue: 'high',
    tags: [],
    state: 'SCHEDULED',
    headers: { trace: 'abc' },
  })
  t.equal(await runNow(id, null, more), run, 'a unique key is kept')
  await t.rejects(runNow(id, null, { colour: 'red' }), /colour: is not a field of a run/)
  await t.rejects(runNow(id, null, { priority: 'high' }), /priority/)
  await t.rejects(runNow('01a1fc78-031b-78a4-9f6c-033dbc888088'), { code: 'P0002' })
})

t.test('a run may be asked for as of an instant', async (t) => {
  const id = await put({ task: 'by.hand' })
  const run = await runNow(id, '2026-01-31T12:00:00.500Z')
  t.match(await readRun(run), { due_at: new Date('2026-01-31T12:00:00.500Z'), state: 'PENDING' })
  t.strictSame(dues(await firings(id)), ['2026-01-31T12:00:00.500Z'])
  const again = await runNow(id, '2026-01-31T12:00:00.500Z')
  t.not(again, run, 'whoever asks twice has two runs')
  t.equal((await firings(id)).length, 1)
})

t.test('disabled schedules, and those that cannot fire by themselves, can be run by hand', async (t) => {
  const off = await put({ task: 'by.hand', enabled: false })
  const past = await put({ task: 'by.hand', schedule: { kind: 'clocked', at: '2020-01-01T00:00:00Z' } })
  t.match(await world.refused(past), /^at is past/)
  for (const id of [off, past]) t.match(await readRun(await runNow(id)), { state: 'PENDING' })
  t.match(await row(off), { enabled: false, firings_total: '0' })
})

t.test('a run asked for takes part in the transaction that asks', async (t) => {
  const id = await put({ task: 'rolled.back' })
  await t.rejects(
    sql.begin(async (tx) => {
      await tx`select rowbeat.run_schedule_v1(${id}, null, null)`
      throw new Error('changed my mind')
    }),
    /changed my mind/,
  )
  t.strictSame(await firings(id), [])
  t.equal((await sql`select from rowbeat.runs where task = 'rolled.back'`).length, 0)
})

const hours = (...list: number[]): string[] =>
  list.map((hour) => `2026-03-01T${String(hour).padStart(2, '0')}:00:00.000Z`)

t.test('a backfill fires past instants that were not fired, each once', async (t) => {
  const id = await put({ task: 'filled.back', ...whole })
  await sql`update rowbeat.schedules set description = 'second version' where id = ${id}`
  const made = await backfill(id, hours(10, 11, 12))
  t.strictSame(
    made.map(({ due_at }) => due_at.toISOString()),
    hours(10, 11, 12),
  )
  for (const { due_at, run_id } of made)
    t.match(await readRun(run_id), {
      state: 'PENDING',
      due_at,
      expires_at: null,
      priority: -7,
      tags: ['night'],
    })
  t.match(
    await firings(id),
    made.map(({ due_at, run_id }) => ({ due_at, run_id, state: 'fired', reason: 'backfill', version: 2 })),
  )
  t.strictSame(
    (await backfill(id, hours(9, 9, 11, 12))).map(({ due_at }) => due_at.toISOString()),
    hours(9),
  )
  t.strictSame(await backfill(id, []), [])
  t.equal((await sql`select from rowbeat.runs where task = 'filled.back'`).length, 4)
})

t.test('a stretch that was missed is what is left of it', async (t) => {
  const id = await put({
    schedule: { kind: 'interval', every: 1, period: 'hours' },
    anchor_at: '2026-03-01T10:00:00Z',
    catch_up_window: '1 minute',
  })
  await rewind(id, '2026-03-01T10:00:00Z')
  const missed = async () => (await firings(id)).filter(({ state }) => state === 'missed')
  const whole = await until('it is told', async () => (await missed())[0])
  const [count, until_at] = [whole.count!, whole.until_at!]
  t.ok(count > 1000)
  await backfill(id, hours(10, 11, 12))
  t.match(await missed(), [{ due_at: until_at, count: count - 3, until_at }])
  t.match(
    (await firings(id)).slice(0, 3),
    [10, 11, 12].map(() => ({ state: 'fired', reason: 'backfill', count: 1, until_at: null })),
  )
  await backfill(id, [until_at.toISOString()])
  t.strictSame(await missed(), [])
})
