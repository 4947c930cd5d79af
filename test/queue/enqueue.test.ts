/** Enqueue in TypeScript: what an option becomes, what is refused before anything is sent, and what concurrent calls share. */
import postgres from 'postgres'
import t from 'tap'
import { z } from 'zod'
import { createRowbeat, migrate, task, type DatabaseHandle, type EnqueueOptions } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const { url, sql, admin } = await setup(t)
const add = task(
  'q.add',
  { queue: 'high', priority: 3, attemptsMax: 4, timeLimit: '1 minute' },
  ({ x }: { x: number }) => x,
)
const checked = task(
  'q.checked',
  { input: z.object({ id: z.number(), rows: z.array(z.object({ name: z.string() })).default([]) }) },
  ({ id }) => id,
)
const rowbeat = createRowbeat({ db: sql, tasks: { add, checked } })
const rows = async (): Promise<number> => (await sql`select count(*)::int as n from rowbeat.runs`)[0]!.n

t.test('a task brings its own options; those of the call win', async (t) => {
  t.match(await (await rowbeat.enqueue(add, { x: 1 })).get(), {
    queue: 'high',
    priority: 3,
    attemptsMax: 4,
    timeLimit: 60,
    input: { x: 1 },
  })
  const options: EnqueueOptions = {
    queue: 'default',
    priority: -1,
    attemptsMax: 1,
    timeLimit: 5,
    softTimeLimit: '2s',
    tags: ['t'],
    headers: { h: [1] },
  }
  t.match(await (await rowbeat.enqueue(add, { x: 1 }, options)).get(), {
    ...options,
    softTimeLimit: 2,
    state: 'PENDING',
  })
  t.match(
    await (await rowbeat.enqueue('q.add', { x: 1 })).get(),
    { queue: 'high' },
    'a name that is known is its task',
  )
  t.match(await (await rowbeat.enqueue('q.unknown')).get(), { queue: 'default', input: {}, attemptsMax: 1 })
  const byInput = task(
    'q.tries',
    { attemptsMax: (input: { times: number }) => input.times + 1 },
    ({ times }: { times: number }) => times,
  )
  t.match(await (await rowbeat.enqueue(byInput, { times: 3 })).get(), { attemptsMax: 4 })
  t.match(
    await (await rowbeat.enqueue(byInput as never, undefined as never)).get(),
    { attemptsMax: 1 },
    'an input left out is {}',
  )
})

t.test('when: delay, eta and expires as durations, Dates and texts', async (t) => {
  const at = new Date(Date.now() + 3_600_000)
  t.match(await (await rowbeat.enqueue(add, { x: 1 }, { eta: at })).get(), {
    state: 'SCHEDULED',
    reason: 'eta',
    runAt: at.toISOString(),
  })
  t.match(await (await rowbeat.enqueue(add, { x: 1 }, { eta: '2999-01-01T02:00:00+02:00' })).get(), {
    runAt: '2999-01-01T00:00:00.000Z',
  })
  t.match(
    await (await rowbeat.enqueue(add, { x: 1 }, { eta: new Date(0) })).get(),
    { state: 'PENDING' },
    'the past is now',
  )
  const delayed = (await (await rowbeat.enqueue(add, { x: 1 }, { delay: '90 minutes' })).get())!
  t.equal(Date.parse(delayed.runAt) - Date.parse(delayed.createdAt), 5_400_000)
  const expiring = (await (await rowbeat.enqueue(add, { x: 1 }, { expires: '10m' })).get())!
  t.equal(Date.parse(expiring.expiresAt!) - Date.parse(expiring.createdAt), 600_000)
  t.match(await (await rowbeat.enqueue(add, { x: 1 }, { expires: at })).get(), {
    expiresAt: at.toISOString(),
  })
})

const WRONG: [object, string][] = [
  [{ countdown: 5 }, '/countdown'],
  [{ constructor: 5 }, '/constructor'],
  [{ queue: 'No' }, '/queue'],
  [{ queue: 5 }, '/queue'],
  [{ priority: 1.5 }, '/priority'],
  [{ priority: '1' }, '/priority'],
  [{ priority: Number.NaN }, '/priority'],
  [{ delay: 'soon' }, '/delay'],
  [{ delay: -1 }, '/delay'],
  [{ eta: 'tomorrow' }, '/eta'],
  [{ eta: '30' }, '/eta'],
  [{ eta: '2026-01-31' }, '/eta'],
  [{ eta: 5 }, '/eta'],
  [{ eta: new Date(Number.NaN) }, '/eta'],
  [{ eta: new Date(8.64e15) }, '/eta'],
  [{ eta: '2026-01-31T12:00:00Z', delay: 5 }, '/eta'],
  [{ expires: 'never' }, '/expires'],
  [{ expires: -5 }, '/expires'],
  [{ id: 'me' }, '/id'],
  [{ uniqueKey: '' }, '/unique_key'],
  [{ uniqueKey: 'x'.repeat(513) }, '/unique_key'],
  [{ uniqueKey: 'k', onConflict: 'ignore' }, '/on_conflict'],
  [{ tags: 'a' }, '/tags'],
  [{ tags: ['a', 1] }, '/tags'],
  [{ tags: Array(21).fill('a') }, '/tags'],
  [{ tags: ['x'.repeat(65)] }, '/tags'],
  [{ headers: [] }, '/headers'],
  [{ headers: { a: 1n } }, '/headers/a'],
  [{ headers: { a: 'x'.repeat(65_536) } }, '/headers'],
  [{ attemptsMax: 0 }, '/attempts_max'],
  [{ timeLimit: 'x' }, '/time_limit'],
  [{ timeLimit: 1, softTimeLimit: 2 }, '/soft_time_limit'],
  [{ retention: 'ever' }, '/retention'],
  [{ ignoreResult: 'yes' }, '/ignore_result'],
  [{ parent: 'me' }, '/parent'],
  [{ retry: 5 }, '/retry'],
  [{ retry: { backoff: 'often' } }, '/retry'],
  [{ retry: { backoff: () => '1s' } }, '/retry'],
  [{ retry: { when: () => true } }, '/retry'],
]
t.test(
  'every wrong option is refused by name, alone and by its place among many, and nothing is written',
  async (t) => {
    const before = await rows()
    for (const [options, pointer] of WRONG) {
      const refused = {
        name: 'EnqueueError',
        code: 'RB_OPTION_INVALID',
        message: /./,
        faults: [{ pointer, detail: /./ }],
      }
      await t.rejects(rowbeat.enqueue('q.any', {}, options), refused, Object.keys(options).join())
      await t.rejects(
        rowbeat.enqueueMany([{ task: 'q.any' }, { task: 'q.any', ...options }, { task: 'q.any' }]),
        {
          ...refused,
          message: /^runs\[1\]: /,
          faults: [{ pointer: `/1${pointer}` }],
        },
      )
    }
    t.equal(await rows(), before)
  },
)

t.test('the schema of a task is asked before anything is sent, with a pointer for each fault', async (t) => {
  const before = await rows()
  await t.rejects(rowbeat.enqueue(checked, { id: '1', rows: [{ name: 5 }] } as never), {
    code: 'RB_INPUT_INVALID',
    message: /^input of q.checked is refused: \/input\/id /,
    faults: [{ pointer: '/input/id' }, { pointer: '/input/rows/0/name' }],
  })
  await t.rejects(
    rowbeat.enqueue('q.checked', {}),
    { code: 'RB_INPUT_INVALID', faults: [{ pointer: '/input/id' }] },
    'by name too',
  )
  await t.rejects(rowbeat.enqueue('q.checked', null), { code: 'RB_INPUT_INVALID' }, 'null is no {}')
  await t.rejects(
    rowbeat.enqueueMany([
      { task: checked, input: { id: 1 } },
      { task: 'q.checked', input: {} },
    ]),
    { code: 'RB_INPUT_INVALID', faults: [{ pointer: '/1/input/id' }] },
  )
  t.equal(await rows(), before)
  t.match(
    await (await rowbeat.enqueue(checked, { id: 1 })).get(),
    { input: { id: 1 } },
    'stored as it was given; the handler gets the defaults',
  )
})

t.test('what is enqueued is the input as of the call, whatever becomes of the object', async (t) => {
  const input = { x: 0, list: [0] }
  const options = { tags: ['0'], headers: { n: 0 } }
  const promises = []
  for (let n = 0; n < 5; n++) {
    input.x = input.list[0] = options.headers.n = n
    options.tags[0] = String(n)
    promises.push(
      rowbeat.enqueue(add, input, options),
      rowbeat.enqueueMany([{ task: add, input, ...options }]),
    )
  }
  input.x = -1
  const handles = (await Promise.all(promises)).flat()
  const stored = await Promise.all(handles.map(async (handle) => (await handle.get())!))
  t.strictSame(
    stored.map((run) => [(run.input as typeof input).x, run.tags[0], run.headers.n]),
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4].map((n) => [n, String(n), n]),
  )
  t.strictSame(
    stored.map((run) => (run.input as typeof input).list),
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4].map((n) => [n]),
  )
})

/** A postgres.js sql that counts what is sent through it, and holds it back while `gate` is closed. */
function counting(): { db: DatabaseHandle; sizes: number[] } {
  const sizes: number[] = []
  const db = {
    unsafe(text: string, parameters: string[], options: object) {
      sizes.push((JSON.parse(parameters.at(-1)!) as unknown[]).length)
      return sql.unsafe(text, parameters, options)
    },
  }
  return { db, sizes }
}

t.test('concurrent calls share statements, and each is answered with its own run', async (t) => {
  const { db, sizes } = counting()
  const shared = createRowbeat({ db })
  const handles = await Promise.all(Array.from({ length: 2500 }, (_, n) => shared.enqueue('q.shared', { n })))
  t.ok(sizes.length <= 5, `${sizes.length} statements for 2,500 calls: ${sizes}`)
  t.ok(Math.max(...sizes) <= 1000)
  const inputs = new Map(
    (await sql`select id::text as id, (input->>'n')::int as n from rowbeat.runs where task = 'q.shared'`).map(
      (row) => [row.id, row.n],
    ),
  )
  t.ok(handles.every((handle, n) => inputs.get(handle.id) === n))
})

t.test('a run that Postgres refuses fails its own caller only', async (t) => {
  const { db, sizes } = counting()
  const shared = createRowbeat({ db })
  const settled = await Promise.allSettled(
    Array.from({ length: 200 }, (_, n) =>
      shared.enqueue('q.one-bad', { n }, n === 77 ? { queue: 'No' } : n % 50 === 3 ? { tags: [''] } : {}),
    ),
  )
  const bad = settled.flatMap((one, n) => (one.status === 'rejected' ? [n] : []))
  t.strictSame(bad, [3, 53, 77, 103, 153])
  t.match(settled[77], {
    reason: { code: 'RB_OPTION_INVALID', message: /^queue: must match/, faults: [{ pointer: '/queue' }] },
  })
  t.match(await sql`select count(*)::int as n from rowbeat.runs where task = 'q.one-bad'`, [{ n: 195 }])
  t.ok(sizes.length < 80, `${sizes.length} statements`)
})

t.test('a batch that shares a unique key is still one run', async (t) => {
  const handles = await Promise.all(
    Array.from({ length: 50 }, () => rowbeat.enqueue('q.same', {}, { uniqueKey: 'k' })),
  )
  t.equal(new Set(handles.map((handle) => handle.id)).size, 1)
  t.equal(handles.filter((handle) => handle.created).length, 1)
  await t.rejects(rowbeat.enqueue('q.same', {}, { uniqueKey: 'k', onConflict: 'reject' }), {
    code: 'RB_RUN_DUPLICATE',
    message: /^unique_key: "k" is held by run /,
    faults: [{ pointer: '/unique_key' }],
  })
})

t.test('enqueueing nothing is nothing, and a send of bodies answers in order', async (t) => {
  t.strictSame(await rowbeat.enqueueMany([]), [])
  t.strictSame(await rowbeat.in(sql).enqueueMany([]), [])
  const sent = await rowbeat.send([
    { fields: { task: 'q.sent' }, input: '1' },
    { fields: { task: 'q.sent', id: '0192a0f0-0000-7000-8000-0000000000c1' }, input: undefined },
  ])
  t.match(sent, [{ created: true }, { created: true, id: '0192a0f0-0000-7000-8000-0000000000c1' }])
  t.match(await sql`select input from rowbeat.runs where task = 'q.sent' order by id desc`, [
    { input: 1 },
    { input: {} },
  ])
})

t.test('a database without our tables, or not there, is said in one sentence with its cure', async (t) => {
  const empty = await setup(t, { empty: true })
  const early = createRowbeat({ db: empty.sql })
  await t.rejects(early.enqueue('x'), {
    name: 'StoreError',
    code: 'RB_SCHEMA_BEHIND',
    message: /run `rowbeat migrate`/,
  })
  await migrate({ url: empty.url })
  t.match(await (await early.enqueue('x')).get(), { state: 'PENDING' })
  const nowhere = createRowbeat({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none' })
  await t.rejects(nowhere.enqueue('x'), {
    code: 'RB_DB_UNREACHABLE',
    message: /cannot be reached .*ECONNREFUSED.*check that it runs/,
  })
  await nowhere.close()
})

t.test('callers whose connection is cut are told; the next call works', async (t) => {
  const client = postgres(url, { max: 2, connection: { application_name: 'cut me' } })
  const own = createRowbeat({ db: client })
  await own.enqueue('q.before')
  const locker = await admin.reserve()
  await locker`begin`
  await locker`lock table rowbeat_queue._private_jobs in access exclusive mode`
  const stuck = Promise.allSettled(Array.from({ length: 5 }, () => own.enqueue('q.cut')))
  await locker`select pg_sleep(0.05)`
  await locker`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cut me' and datname = current_database()`
  await locker`rollback`
  locker.release()
  for (const one of await stuck) t.match(one, { status: 'rejected', reason: { code: 'RB_DB_UNREACHABLE' } })
  t.match(await (await own.enqueue('q.after')).get(), { state: 'PENDING' })
  t.match(await sql`select count(*)::int as n from rowbeat.runs where task = 'q.cut'`, [{ n: 0 }])
  await client.end({ timeout: 0 })
})
