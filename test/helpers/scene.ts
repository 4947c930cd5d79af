/**
 * A lively database for the panel's tests and pictures: a day of runs behind it, two workers and a beat at work, and
 * one of each thing that a page has to show: a paused queue, one that nobody serves, a task that nobody knows, runs
 * in every state, schedules of every kind. What lies behind is written as rows; what lives is done by the real parts.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type postgres from 'postgres'
import { z } from 'zod'
import type { Caller } from '../../src/auth/scopes.ts'
import { createKeyControl } from '../../src/control/keys.ts'
import { createQueueControl } from '../../src/control/queues.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { createScheduleControl } from '../../src/control/schedules.ts'
import { createBeat, createWorker, cron, schedule, task, type Rowbeat } from '../../src/index.ts'
import { until } from './wait.ts'

class ImportError extends Error {
  override readonly name = 'ImportError'
}

/** Its stack names no folder of this machine: it is in pictures. */
function makeImportError(message: string): ImportError {
  const error = new ImportError(message)
  error.stack = `ImportError: ${message}\n    at openFile (/app/imports/open-file.ts:27:11)\n    at load (/app/imports/tasks.ts:12:3)`
  return error
}

const load = task(
  'imports.load',
  {
    input: z.object({
      file: z.string().min(1),
      user: z.number().int(),
      skip_broken: z.boolean().default(false),
    }),
  },
  async ({ file, user }, { log }) => {
    log.info(`reading ${file}`)
    if (!file.endsWith('.csv')) throw makeImportError(`${file} of user ${user} is no CSV file`)
    return { imported: 128, failed: 0 }
  },
)
/** Tells its progress and logs a line each tenth of a second. */
const encode = task(
  'videos.encode',
  { input: z.object({ file: z.string(), seconds: z.number() }) },
  async ({ file, seconds }, { log, progress, signal }) => {
    const ticks = seconds * 10
    for (let tick = 1; tick <= ticks; tick++) {
      await wait(100, undefined, { signal })
      progress(tick, ticks)
      if (tick % 3 === 0) log.info(`frame ${tick * 24} of ${file}`, { fps: 24 })
    }
    return { frames: ticks * 24 }
  },
)
const send = task('mail.send', { input: z.object({ to: z.email(), subject: z.string() }) }, () => 'sent')
const charge = task('payments.charge', { attemptsMax: 5, retry: { backoff: 'constant', base: '1h' } }, () => {
  throw new Error('the bank does not answer')
})
const daily = task('reports.daily', { input: z.object({ day: z.string().optional() }) }, () => ({
  pages: 12,
}))

export const SCENE_TASKS = [load, encode, send, charge, daily]

const nightly = schedule('reports: every night', cron('0 3 * * *', { timezone: 'Europe/Kyiv' }), daily, {})

interface Owner {
  teardown(handler: () => unknown): unknown
}

export interface Stage {
  url: string
  sql: postgres.Sql
  rowbeat: Rowbeat
  /** Who does in the audit log what the scene did. */
  actor: Caller
}

/** Runs by the part they play. */
export interface Scene {
  failed: string
  running: string
  succeeded: string
  retrying: string
  scheduled: string
  revoked: string
  /** Wait: in a paused queue, in one that nobody serves, for a task that nobody knows. */
  paused: string
  unserved: string
  unknown: string
}

export async function setScene(t: Owner, stage: Stage): Promise<Scene> {
  const { url, sql } = stage
  const workers = ['ada@mill', 'grace@mill'].map((name) =>
    createWorker({
      databaseUrl: url,
      name,
      tasks: SCENE_TASKS,
      queues: { default: 4, high: 2, imports: 2, mail: 2 },
    }),
  )
  const beat = createBeat({ databaseUrl: url, name: 'beat@mill', schedules: [nightly] })
  t.teardown(async () => {
    await beat.stop()
    await Promise.all(workers.map((worker) => worker.stop({ grace: 0 })))
  })
  await rememberDay(sql)
  // What failed in that day is counted as upkeep counts the history of a store.
  await sql`update rowbeat.failures_read set until_at = now() - interval '2 days'`
  await Promise.all([...workers.map((worker) => worker.start()), beat.start()])
  await sql`update rowbeat.workers set hostname = 'mill'`
  await arrange(stage)
  const scene = await enqueueAll(stage)
  await until('the long run tells its progress', async () => {
    const [row] = await sql`select state from rowbeat.run(${scene.running})`
    return row?.state === 'PROGRESS'
  })
  await sql`select rowbeat.count_failures_v1('0')`
  return scene
}

/** Limits, pauses, schedules and keys, by the verbs that leave their rows in the audit log. */
async function arrange({ rowbeat, actor }: Stage): Promise<void> {
  const queues = createQueueControl(rowbeat)
  await queues.define(actor, 'mail', { rate: '10/s' })
  await queues.pause(actor, 'mail', { reason: 'the mail server moves house', until: null })
  await queues.define(actor, 'imports', { concurrency: 4 })
  const schedules = createScheduleControl(rowbeat, { runs: createRunControl(rowbeat) })
  const make = (name: string, timing: object, more: object = {}): Promise<{ id: string }> =>
    schedules.create(actor, { name, task: 'reports.daily', schedule: timing, ...more })
  const crontab = { kind: 'crontab', minute: '0', hour: '3', timezone: 'UTC' }
  const edited = await make(
    'books: at night',
    { ...crontab, timezone: 'Europe/Kyiv' },
    { description: 'All books, once a night.' },
  )
  await schedules.edit(
    actor,
    edited.id,
    { schedule: { ...crontab, hour: '4', timezone: 'Europe/Kyiv' } },
    'any',
  )
  await make('heart beat', { kind: 'interval', every: 1, period: 'hours' })
  await make('lamps on', { kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 })
  await make('new year', { kind: 'clocked', at: '2030-01-01T00:00:00Z' })
  for (let shop = 1; shop <= 6; shop++) await make(`shop ${shop}: prices`, crontab, { tags: ['shop'] })
  const idle = await make('warehouse count', { ...crontab, hour: '*/6' })
  await schedules.pause(actor, idle.id, { reason: 'until the new shelves stand', until: null }, 'any')
  const keys = createKeyControl(rowbeat)
  await keys.create(actor, { name: 'shop front', scopes: ['runs:read', 'runs:write'] })
  const { id } = await keys.create(actor, { name: 'old script', scopes: ['runs:read'] })
  await keys.revoke(actor, id)
}

/** A run for each state. */
async function enqueueAll({ rowbeat, sql }: Stage): Promise<Scene> {
  const { id: running } = await rowbeat.enqueue(encode, { file: 'talk.mp4', seconds: 3600 })
  const { id: retrying } = await rowbeat.enqueue(charge, { order: 7 } as never, { queue: 'high' })
  const { id: scheduled } = await rowbeat.enqueue(daily, {}, { delay: '3 hours', tags: ['shop'] })
  const { id: succeeded } = await rowbeat.enqueue(daily, { day: 'today' }, { headers: { shop: 3 } })
  const { id: failed } = await rowbeat.enqueue(
    load,
    { file: 'books-42.xls', user: 42 },
    { queue: 'imports', tags: ['books'] },
  )
  const { id: revoked } = await rowbeat.enqueue(daily, {}, { delay: '1 day' })
  await rowbeat.revoke(revoked, { reason: 'asked twice' })
  const mails = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      rowbeat.enqueue(send, { to: `reader${n}@example.com`, subject: 'News' }, { queue: 'mail' }),
    ),
  )
  const reports = await Promise.all(
    Array.from({ length: 12 }, () => rowbeat.enqueue(daily, {}, { queue: 'reports' })),
  )
  const [unknown] = await sql`select rowbeat.enqueue('legacy.cleanup', '{"days": 30}') as id`
  await until('the failed run has failed', async () => {
    const [row] =
      await sql`select count(*)::int as n from rowbeat.results where id in ${sql([failed, succeeded, revoked])}`
    return row!.n === 3
  })
  return {
    running,
    retrying,
    scheduled,
    succeeded,
    failed,
    revoked,
    paused: mails[0]!.id,
    unserved: reports[0]!.id,
    unknown: unknown!.id,
  }
}

interface Kind {
  task: string
  queue: string
  input: (n: number) => object
  result: unknown
  seconds: number
  error?: { share: number; name: string; message: (n: number) => string; frame: string }
}

const KINDS: readonly Kind[] = [
  {
    task: 'mail.send',
    queue: 'mail',
    input: (n) => ({ to: `reader${n}@example.com`, subject: 'News' }),
    result: 'sent',
    seconds: 0.3,
  },
  {
    task: 'imports.load',
    queue: 'imports',
    input: (n) => ({ file: `books-${n}.csv`, user: n % 50, skip_broken: false }),
    result: { imported: 128, failed: 2 },
    seconds: 4,
    error: {
      share: 0.2,
      name: 'ImportError',
      message: (n) => `line ${n}: the year is missing`,
      frame: 'readRow (/app/imports/read-row.ts:41:13)',
    },
  },
  { task: 'reports.daily', queue: 'default', input: () => ({}), result: { pages: 12 }, seconds: 20 },
  {
    task: 'payments.charge',
    queue: 'high',
    input: (n) => ({ order: n, cents: n * 25 }),
    result: { receipt: 'R-2041' },
    seconds: 1.2,
    error: {
      share: 0.08,
      name: 'TimeoutError',
      message: () => 'the bank does not answer',
      frame: 'charge (/app/payments/bank.ts:88:9)',
    },
  },
]

/** 1,200 finished runs over the last 24 hours, more and more of them, the same each time but for the clock. */
async function rememberDay(sql: postgres.Sql, count = 1200): Promise<void> {
  const now = Date.now()
  const chance = makeChance(7)
  const rows = Array.from({ length: count }, (_, n) => {
    const kind = KINDS[Math.floor(chance() * KINDS.length)]!
    const created = now - 60_000 - 86_000_000 * (1 - (n + chance()) / count) ** 2
    const started = created + 20 + chance() ** 3 * 9000
    const finished = started + kind.seconds * (400 + chance() * 1500)
    const { error } = kind
    const isFailed = error !== undefined && chance() < error.share
    return {
      id: uuid7At(created),
      task: kind.task,
      queue: kind.queue,
      state: isFailed ? 'FAILURE' : 'SUCCESS',
      reason: isFailed ? 'error' : null,
      input: kind.input(n),
      result: isFailed ? null : kind.result,
      error: isFailed
        ? {
            name: error.name,
            message: error.message(n),
            stack: `${error.name}: ${error.message(n)}\n    at ${error.frame}\n    at run (/app/${kind.task}.ts:12:3)`,
          }
        : null,
      worker: n % 2 ? 'ada@mill' : 'grace@mill',
      created_at: instant(created),
      started_at: instant(started),
      finished_at: instant(finished),
    }
  })
  await sql`
    insert into rowbeat.results (id, task, queue, state, reason, priority, input, result, error, attempt, attempts_max, redeliveries, worker,
      created_at, run_at, started_at, finished_at, keep_until)
    select r.id, r.task, r.queue, r.state, r.reason, 0, r.input, nullif(r.result, 'null'), nullif(r.error, 'null'), 1, 1, 0, r.worker,
      r.created_at, r.created_at, r.started_at, r.finished_at, now() + interval '30 days'
    from jsonb_to_recordset(${sql.json(rows as never)}) r(id uuid, task text, queue text, state text, reason text, input jsonb, result jsonb, error jsonb,
      worker text, created_at timestamptz, started_at timestamptz, finished_at timestamptz)`
}

const instant = (ms: number): string => new Date(ms).toISOString()

/** A UUIDv7 of that moment. */
export function uuid7At(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0') + `7${randomBytes(2).toString('hex').slice(1)}`
  const rest = `8${randomBytes(8).toString('hex').slice(1)}`
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}-${rest.slice(0, 4)}-${rest.slice(4)}`
}

/** Numbers between 0 and 1 that only look like chance (mulberry32). */
function makeChance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
