/**
 * What becomes of the instants that came while no beat ran: `next_run_at` is put back to the first of them, which is how the
 * row of a beat that was down for so long looks.
 */
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { until } from '../helpers/wait.ts'
import { dues, openWorld, type Firing } from './world.ts'

const world = await openWorld(t)
const { sql, put, row, firings, armed, rewind, fired } = world
const HOUR_MS = 3_600_000
const hourly = { kind: 'interval', every: 1, period: 'hours' }
const crontab = (fields: object) => ({ kind: 'crontab', ...fields })
const text = (ms: number): string => new Date(ms).toISOString()

/** An hourly schedule whose last five instants have passed, the latest half an hour ago. */
async function miss(policy: object): Promise<{ id: string; instants: string[]; next: string }> {
  const latest = Math.floor(Date.now() / 1000) * 1000 - HOUR_MS / 2
  const instants = [4, 3, 2, 1, 0].map((n) => text(latest - n * HOUR_MS))
  const id = await put({ schedule: hourly, anchor_at: instants[0], ...policy })
  await rewind(id, instants[0]!)
  await until('it has gone on', async () => (await row(id)).next_run_at?.getTime() === latest + HOUR_MS)
  return { id, instants, next: text(latest + HOUR_MS) }
}

const short = ({ due_at, state, reason, count, until_at }: Firing) =>
  [due_at.toISOString(), state, reason, count, until_at?.toISOString() ?? null] as const

t.test(
  'celery row 10: `last`, the default, fires the latest missed instant and tells of the others',
  async (t) => {
    const { id, instants } = await miss({})
    t.strictSame((await firings(id)).map(short), [
      [instants[0], 'missed', 'catch_up', 4, instants[3]],
      [instants[4], 'fired', null, 1, null],
    ])
    t.match(await row(id), { firings_total: '1', last_run_at: new Date(instants[4]!), enabled: true })
  },
)

t.test('celery row 10: `all` fires each missed instant, once, as of its instant', async (t) => {
  const { id, instants } = await miss({ catch_up: 'all', task: 'missed.all' })
  t.strictSame(dues(await firings(id)), instants)
  const runs = await sql`select due_at from rowbeat.runs where task = 'missed.all' order by due_at`
  t.strictSame(
    runs.map(({ due_at }) => due_at.toISOString()),
    instants,
  )
  const [late] =
    await sql`select bool_and(lateness > '29 minutes') as yes from rowbeat.firings where schedule_id = ${id}`
  t.ok(late!.yes, 'the lateness is kept')
})

t.test('celery row 10: `skip` fires none of them, but what is a minute late at most', async (t) => {
  const { id, instants } = await miss({ catch_up: 'skip' })
  t.strictSame((await firings(id)).map(short), [[instants[0], 'missed', 'window', 5, instants[4]]])
  const near = await put({ schedule: hourly, catch_up: 'skip' })
  await world.makeDue(near, '50 seconds')
  t.equal((await fired(near)).length, 1)
})

t.test('a window is the age of the oldest instant that is made up for', async (t) => {
  const wide = await miss({ catch_up: 'all', catch_up_window: '2 hours' })
  t.strictSame((await firings(wide.id)).map(short), [
    [wide.instants[0], 'missed', 'window', 3, wide.instants[2]],
    [wide.instants[3], 'fired', null, 1, null],
    [wide.instants[4], 'fired', null, 1, null],
  ])
  const narrow = await miss({ catch_up: 'last', catch_up_window: '10 minutes' })
  t.strictSame((await firings(narrow.id)).map(short), [
    [narrow.instants[0], 'missed', 'window', 5, narrow.instants[4]],
  ])
  const skip = await miss({ catch_up: 'skip', catch_up_window: '45 minutes' })
  t.strictSame(dues((await firings(skip.id)).filter(({ state }) => state === 'fired')), [skip.instants[4]])
})

t.test('what is made up for and has expired never starts', async (t) => {
  const { id, instants } = await miss({ expires: '1 minute' })
  const [firing] = await fired(id)
  const [run] = await sql`select expires_at from rowbeat.runs where id = ${firing!.run_id}`
  t.equal(run!.expires_at.getTime(), Date.parse(instants[4]!) + 60_000)
})

t.test(
  'more than a hundred missed instants are all fired, in order, and no others wait for them',
  async (t) => {
    const id = await put({
      schedule: { kind: 'interval', every: 1, period: 'minutes' },
      catch_up: 'all',
      task: 'missed.many',
    })
    const first = Math.floor((await armed(id)).anchor_at.getTime()) - 349 * 60_000
    await sql`update rowbeat.schedules set anchor_at = ${new Date(first)} where id = ${id}`
    await rewind(id, text(first))
    const found = await fired(id, 350)
    t.strictSame(
      dues(found).slice(0, 350),
      Array.from({ length: 350 }, (_, n) => text(first + n * 60_000)),
    )
    const order = await sql`select due_at from rowbeat.runs where task = 'missed.many' order by run_at, id`
    t.strictSame(
      order.map(({ due_at }) => due_at.getTime()),
      found.map(({ due_at }) => due_at.getTime()),
    )
  },
)

t.test('a schedule that ended while no beat ran fires what was left of it, and ends', async (t) => {
  const latest = Math.floor(Date.now() / 1000) * 1000 - HOUR_MS / 2
  const id = await put({ schedule: hourly, anchor_at: text(latest), catch_up: 'all' })
  const clocked = await put({ schedule: { kind: 'clocked', at: text(Date.now() + HOUR_MS) } })
  await Promise.all([armed(id), armed(clocked)])
  // Time went by: nobody edited these rows, so no trigger may see it.
  await sql`alter table rowbeat.schedules disable trigger guard_update`
  await sql`update rowbeat.schedules set end_at = ${text(latest + 1000)} where id = ${id}`
  await sql`update rowbeat.schedules set schedule = ${sql.json({ kind: 'clocked', at: text(latest) })} where id = ${clocked}`
  await sql`alter table rowbeat.schedules enable trigger guard_update`
  await rewind(id, text(latest - HOUR_MS))
  await rewind(clocked, text(latest))
  t.strictSame(dues(await fired(id, 2)), [text(latest - HOUR_MS), text(latest)])
  t.strictSame(dues(await fired(clocked)), [text(latest)])
  for (const one of [id, clocked]) {
    await until('it is over', async () => !(await row(one)).enabled)
    t.match(await row(one), { next_run_at: null, error: null })
  }
})

t.test('celery row 10: a run missed before midnight is made up for after it', async (t) => {
  // 23:30 of yesterday, whatever the hour is now; Celery forgets it at midnight.
  const id = await put({ schedule: crontab({ minute: '30', hour: '23' }) })
  const next = (await armed(id)).next_run_at!.getTime()
  const yesterday = text(next - 86_400_000)
  await rewind(id, yesterday)
  t.strictSame(dues(await fired(id)), [yesterday])
  t.equal((await row(id)).next_run_at!.getTime(), next)
})

t.test(
  'celery row 3: what was missed at ten is made up for once, and fires at ten the next day',
  async (t) => {
    // The daily 10:00 of django-celery-beat: down from nine to two, it fired at eight the next day, and at ten again.
    const id = await put({
      schedule: crontab({ minute: '0', hour: '10' }),
      end_at: '2030-01-01T00:00:00Z',
      catch_up: 'all',
    })
    const next = (await armed(id)).next_run_at!.getTime()
    await rewind(id, text(next - 2 * 86_400_000))
    t.strictSame(dues(await fired(id, 2)), [text(next - 2 * 86_400_000), text(next - 86_400_000)])
  },
)

const CHANGES: [
  what: string,
  zone: string,
  fields: object,
  from: string,
  until: string,
  instants: string[],
][] = [
  [
    'a fixed time in the hour that comes twice runs the first time only',
    'America/New_York',
    { minute: '30', hour: '1' },
    '2025-11-01T05:30:00Z',
    '2025-11-03T23:00:00Z',
    ['2025-11-01T05:30', '2025-11-02T05:30', '2025-11-03T06:30'],
  ],
  [
    'a fixed time in the hour that is left out runs right after the change',
    'America/New_York',
    { minute: '30', hour: '2' },
    '2025-03-08T07:30:00Z',
    '2025-03-10T23:00:00Z',
    ['2025-03-08T07:30', '2025-03-09T07:00', '2025-03-10T06:30'],
  ],
  [
    'each hour runs in both of the hours of one name',
    'America/New_York',
    { minute: '30' },
    '2025-11-02T04:30:00Z',
    '2025-11-02T08:00:00Z',
    ['2025-11-02T04:30', '2025-11-02T05:30', '2025-11-02T06:30', '2025-11-02T07:30'],
  ],
  [
    'half an hour is a change as well',
    'Australia/Lord_Howe',
    { minute: '45', hour: '1' },
    '2026-04-03T14:45:00Z',
    '2026-04-06T00:00:00Z',
    ['2026-04-03T14:45', '2026-04-04T14:45', '2026-04-05T15:15'],
  ],
]

for (const [what, timezone, fields, from, end, instants] of CHANGES) {
  t.test(`celery row 2: ${what}`, async (t) => {
    const spec = crontab({ ...fields, timezone })
    const id = await put({ schedule: spec, catch_up: 'all' })
    await rewind(id, from)
    await fired(id, instants.length)
    await sql`update rowbeat.schedules set enabled = false where id = ${id}`
    const found = dues(await firings(id)).filter((at) => at <= new Date(end).toISOString())
    t.strictSame(
      found,
      instants.map((at) => `${at}:00.000Z`),
    )
    const read = createAlmanac().read(spec)
    if ('faults' in read) throw new Error(JSON.stringify(read.faults))
    const { next } = createAlmanac().preview(
      read.spec,
      { anchorMs: 0 },
      Date.parse(from) - 1,
      instants.length,
    )
    t.strictSame(next, found, 'as the preview said')
  })
}

t.test(
  'celery row 2: a beat that starts inside the hour that comes twice fires once, not twelve thousand times',
  async (t) => {
    const id = await put({
      schedule: crontab({ minute: '30', timezone: 'America/New_York' }),
      start_at: '2024-11-03T06:10:00Z',
      catch_up: 'all',
    })
    await rewind(id, '2024-11-03T06:30:00Z')
    await fired(id, 100)
    await sql`update rowbeat.schedules set enabled = false where id = ${id}`
    const within50 = dues(await firings(id)).filter((at) => at < '2024-11-03T07:00:00.000Z')
    t.strictSame(within50, ['2024-11-03T06:30:00.000Z'])
    t.equal(new Set(dues(await firings(id))).size, (await firings(id)).length)
  },
)
