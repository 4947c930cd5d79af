/** The document of a run: all keys in every place and state, the same from SQL and from TypeScript. */
import t from 'tap'
import { readRun } from '../../src/db/statements/runs.ts'
import { createRowbeat } from '../../src/index.ts'
import { isFinished, parseRun, RUN_STATES, toRun, type RunDocument } from '../../src/results/run.ts'
import { setup } from '../helpers/bundle.ts'

const { sql, db, admin } = await setup(t)
const rowbeat = createRowbeat({ db: sql })

/** contract.md, section REST, in its order. */
const KEYS =
  'id,task,queue,state,reason,priority,input,result,error,progress,attempt,attempts_max,redeliveries,worker,created_at,run_at,started_at,finished_at,expires_at,time_limit,soft_time_limit,unique_key,tags,headers,parent,retry_of,schedule,due_at'
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

async function read(id: string): Promise<RunDocument> {
  const document = parseRun((await readRun(db, id))!)
  const [{ run }] = (await sql`select rowbeat.run_json_v1(r) as run from rowbeat.run(${id}) r`) as never as [
    { run: object },
  ]
  t.strictSame(run, { ...document }, 'SQL and TypeScript tell the same')
  return document
}

const make = async (options: object = {}): Promise<string> =>
  (await rowbeat.enqueue('d.run', { n: 1 }, options)).id
const park = (id: string, reason: string): Promise<unknown> =>
  sql`with j as (delete from rowbeat_queue._private_jobs where key = ${id} returning *)
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
    select key::uuid, ${reason}, case when ${reason} in ('retry', 'snooze') then now() + interval '1 minute' end, 'd.run', 'default', priority, payload, created_at from j`
const claim = async (id: string, listed = true): Promise<void> => {
  await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'pool-1', attempts = 1 where key = ${id}`
  const running = listed ? [{ id, started_at: new Date().toISOString(), attempt: 1 }] : []
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, pools, version, running)
    values ('w1', 'worker-1', 'worker', 'h', 1, '{pool-1}', '0', ${JSON.stringify(running)}::text::jsonb)
    on conflict (id) do update set running = excluded.running`
}
const report = (id: string): Promise<unknown> =>
  sql`insert into rowbeat.progress (run_id, current, total, meta, at) values (${id}, 1, 3, '{"file": "a"}', now())`
const finish = async (id: string, state: string, reason: string | null): Promise<void> => {
  await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${id}) insert into rowbeat.results
    (id, task, queue, state, reason, priority, input, result, error, progress, attempt, attempts_max, redeliveries, worker, created_at, run_at, started_at, finished_at, keep_until)
    values (${id}, 'd.run', 'default', ${state}, ${reason}, 0, '{"n": 1}', ${state === 'SUCCESS' ? '5' : null}::text::jsonb,
      ${state === 'SUCCESS' ? null : '{"name": "Error", "message": "m", "code": null, "stack": null, "cause": null}'}::text::jsonb,
      null, 1, 1, 0, 'worker-1', now(), now(), now(), now(), now() + interval '1 day')`
}

const PLACES: [string, string, string | null, () => Promise<string>][] = [
  ['queued', 'PENDING', null, make],
  [
    'claimed, not yet listed',
    'PENDING',
    null,
    async () => ((id) => claim(id, false).then(() => id))(await make()),
  ],
  ['listed as running', 'STARTED', null, async () => ((id) => claim(id).then(() => id))(await make())],
  [
    'running, and it reported',
    'PROGRESS',
    null,
    async () => ((id) => Promise.all([claim(id), report(id)]).then(() => id))(await make()),
  ],
  ['parked until its time', 'SCHEDULED', 'eta', () => make({ delay: '1h' })],
  ...(['overflow', 'paused', 'rate', 'concurrency', 'flow'] as const).map(
    (reason) =>
      [
        `parked: ${reason}`,
        'PENDING',
        reason,
        async () => ((id) => park(id, reason).then(() => id))(await make()),
      ] as [string, string, string, () => Promise<string>],
  ),
  [
    'parked: snooze',
    'SCHEDULED',
    'snooze',
    async () => ((id) => park(id, 'snooze').then(() => id))(await make()),
  ],
  ['parked: retry', 'RETRY', 'retry', async () => ((id) => park(id, 'retry').then(() => id))(await make())],
  ...(
    [
      ['SUCCESS', null],
      ['SUCCESS', 'skipped'],
      ['FAILURE', 'error'],
      ['FAILURE', 'attempts_exhausted'],
      ['FAILURE', 'discarded'],
      ['FAILURE', 'time_limit'],
      ['FAILURE', 'worker_lost'],
      ['FAILURE', 'input_invalid'],
      ['REVOKED', 'revoked'],
      ['REVOKED', 'terminated'],
      ['REVOKED', 'expired'],
      ['REVOKED', 'replaced'],
    ] as const
  ).map(
    ([state, reason]) =>
      [
        `finished: ${reason ?? state}`,
        state,
        reason,
        async () => ((id) => finish(id, state, reason).then(() => id))(await make()),
      ] as [string, string, string | null, () => Promise<string>],
  ),
]
for (const [place, state, reason, arrange] of PLACES) {
  t.test(`${place} is ${state}, with every key`, async (t) => {
    const run = await read(await arrange())
    t.equal(Object.keys(run).join(), KEYS)
    t.match(run, {
      state,
      reason,
      task: 'd.run',
      queue: 'default',
      input: { n: 1 },
      tags: [],
      headers: {},
      priority: 0,
      attempts_max: 1,
      redeliveries: 0,
    })
    for (const key of ['created_at', 'run_at'] as const) t.match(run[key], INSTANT)
    const running = state === 'STARTED' || state === 'PROGRESS'
    for (const [key, there] of [
      ['started_at', running || isFinished(run.state)],
      ['finished_at', isFinished(run.state)],
    ] as const)
      t.match(run[key], there ? INSTANT : null, key)
    t.equal(run.worker, running || isFinished(run.state) ? 'worker-1' : null)
    t.equal(run.result, state === 'SUCCESS' ? 5 : null)
    if (state === 'PROGRESS')
      t.match(run.progress, { current: 1, total: 3, percent: 33.3, meta: { file: 'a' }, at: INSTANT })
    else t.equal(run.progress, null)
    t.match(
      run.error,
      state === 'FAILURE' || state === 'REVOKED'
        ? { name: 'Error', message: 'm', code: null, stack: null, cause: null }
        : null,
    )
    t.match(
      await sql`select count(*)::int as n from rowbeat.runs where id = ${run.id}`,
      [{ n: 1 }],
      'one row in the view',
    )
  })
}

t.test('every value a caller gave is told, whatever the place', async (t) => {
  const parent = await make()
  const options = {
    queue: 'high',
    priority: -3,
    expires: '2999-01-01T00:00:00Z',
    uniqueKey: 'k',
    tags: ['a', 'b'],
    headers: { h: 1 },
    attemptsMax: 3,
    timeLimit: 90,
    softTimeLimit: '1 minute',
    parent,
  } as const
  const told = {
    queue: 'high',
    priority: -3,
    expires_at: '2999-01-01T00:00:00.000Z',
    unique_key: 'k',
    tags: ['a', 'b'],
    headers: { h: 1 },
    attempts_max: 3,
    time_limit: 90,
    soft_time_limit: 60,
    parent,
  }
  const hot = (await rowbeat.enqueue('d.hot', {}, options)).id
  t.match(await read(hot), told)
  t.match(await read((await rowbeat.enqueue('d.cold', {}, { ...options, delay: '1h' })).id), told)
  await rowbeat.enqueue('d.hot', {}, { uniqueKey: 'k', onConflict: 'replace' })
  t.match(await read(hot), { ...told, state: 'REVOKED', reason: 'replaced', attempt: 0 })
})

t.test('the same instants in every session, whatever its time zone, date style and language', async (t) => {
  const id = await make({ eta: '2030-07-01T12:34:56.789Z', expires: '2031-01-01T00:00:00Z' })
  const plain = await read(id)
  t.match(plain, { run_at: '2030-07-01T12:34:56.789Z' })
  for (const zone of ['Asia/Kolkata', 'America/St_Johns', 'Pacific/Chatham', 'UTC']) {
    await sql.begin(async (tx) => {
      await tx.unsafe(
        `set local timezone = '${zone}'; set local datestyle = 'German'; set local intervalstyle = 'iso_8601'; set local extra_float_digits = 0`,
      )
      const [row] = await tx<
        { text: string; json: RunDocument }[]
      >`select row_to_json(r)::text as text, rowbeat.run_json_v1(r) as json from rowbeat.run(${id}) r`
      t.strictSame(parseRun(row!.text), plain, zone)
      t.strictSame({ ...row!.json }, { ...plain }, zone)
      const [again] =
        await tx`select rowbeat.enqueue('d.zone', eta => '2030-07-01T12:34:56.789Z', delay => null)::text as id`
      t.match(
        parseRun(
          (await tx.unsafe(`select row_to_json(r)::text as text from rowbeat.run('${again!.id}') r`))[0]!
            .text,
        ),
        { run_at: '2030-07-01T12:34:56.789Z' },
      )
    })
  }
})

t.test('TypeScript says the same in camelCase', (t) => {
  const document = Object.fromEntries(KEYS.split(',').map((key) => [key, key])) as never as RunDocument
  const run = toRun(document) as never as Record<string, string>
  t.equal(Object.keys(run).length, 28)
  t.match(run, {
    attemptsMax: 'attempts_max',
    softTimeLimit: 'soft_time_limit',
    dueAt: 'due_at',
    id: 'id',
    retryOf: 'retry_of',
  })
  t.strictSame(RUN_STATES.filter(isFinished), ['SUCCESS', 'FAILURE', 'REVOKED'])
  t.end()
})

t.test('the view names its columns as the contract does, each with a comment', async (t) => {
  const columns = await admin<{ name: string; comment: string | null }[]>`
    select attname as name, col_description(attrelid, attnum) as comment from pg_attribute
    where attrelid = 'rowbeat.runs'::regclass and attnum > 0 order by attnum`
  t.equal(columns.map((column) => column.name).join(), KEYS)
  t.strictSame(
    columns.filter((column) => !column.comment),
    [],
  )
})
