/**
 * The contract with graphile-worker 0.18.0, as its runner shows it to a pool: the names and texts of its statements,
 * how it connects, and what the facade makes of each. A version that asks otherwise must be seen here, or at its first
 * query, and never in production as a queue that quietly stands still.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { EventEmitter } from 'node:events'
import { Logger, runTaskList } from 'graphile-worker'
import pg from 'pg'
import t from 'tap'
import { createFacade } from '../../src/worker/facade.ts'
import type { ClaimHooks } from '../../src/worker/claim.ts'
import type { ClaimedJob } from '../../src/worker/job.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

interface Asked {
  name: string
  text: string
  values?: unknown[]
}

const quiet: ClaimHooks = {
  room: async () => 5,
  claimed: () => {},
  claimFailed: () => {},
  returned: (ids) => ids,
  ahead: () => 0,
  unwanted: () => {},
}

/** A pool that answers nothing and keeps what it was asked. */
function fakePool(rows: unknown[] = [], failure?: Error) {
  const asked: Asked[] = []
  const released: unknown[] = []
  const client = Object.assign(new EventEmitter(), {
    async query(request: { name?: string; text: string; values?: unknown[] }) {
      asked.push({ name: request.name ?? '', text: request.text, values: request.values })
      if (failure) throw failure
      return { rows }
    },
    release: (lost: unknown) => void released.push(lost),
  })
  return { asked, released, pool: { options: {}, connect: async () => client } as unknown as pg.Pool }
}

type Client = { query(request: unknown, values?: unknown[]): Promise<{ rows: unknown[] }>; release(): void }
const clientOf = async (facade: pg.Pool): Promise<Client> => (await facade.connect()) as unknown as Client
const CLAIM = 'with j as (\n  select jobs.job_queue_id, x\n  limit 1\n    for update\n)'

t.test('the version is pinned exactly', async (t) => {
  const text = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
  const read = (file: string): any => JSON.parse(text(file))
  t.equal(read('package.json').dependencies['graphile-worker'], '0.18.0')
  t.equal(read('node_modules/graphile-worker/package.json').version, '0.18.0')
  const unlocking = text('node_modules/graphile-worker/dist/sql/resetLockedAt.js')
  t.match(unlocking, /locked_at < \$\{now\} - interval '4 hours'/, 'runs may take longer than that')
  t.match(unlocking, /clear_stale_locks/)
})

for (const prepared of [true, false]) {
  t.test(`a real runner asks what the facade expects, ${prepared ? '' : 'not '}prepared`, async (t) => {
    const { url, sql } = await setup(t)
    const inner = new pg.Pool({ connectionString: url, max: 2 })
    inner.on('error', () => {})
    t.teardown(() => inner.end())
    await sql`insert into rowbeat_queue._private_tasks (identifier) values ('default:probe')`
    const asked: Asked[] = []
    const notices: string[] = []
    const spy = spyOn(inner, asked, notices)
    const runner = runTaskList(
      {
        schema: 'rowbeat_queue',
        concurrency: 1,
        pollInterval: 50,
        noHandleSignals: true,
        noPreparedStatements: !prepared,
        logger: new Logger(() => () => {}),
        preset: { worker: { localQueue: { size: 1, ttl: 60 } } },
      },
      {
        'default:probe': async (payload) => {
          if ((payload as { fail?: boolean }).fail) throw new Error('probe')
          await pause((payload as { ms?: number }).ms ?? 0)
        },
      },
      spy,
    )
    const add = (payload: object) => sql`
      insert into rowbeat_queue._private_jobs (task_id, payload, key)
      select id, ${JSON.stringify(payload)}::text::json, gen_random_uuid() from rowbeat_queue._private_tasks`
    await add({})
    await add({ fail: true })
    await until(
      'one is done and one failed',
      async () =>
        (await sql`select last_error from rowbeat_queue._private_jobs where last_error is not null`)
          .length === 1,
    )
    await runner.gracefulShutdown()

    const named = (pattern: RegExp): Asked[] =>
      asked.filter(({ name, text }) => pattern.test(prepared ? name : text))
    const claims = named(prepared ? /^get_job/ : /skip locked/)
    t.ok(claims.length > 0, 'it claims')
    t.ok(
      claims.every(({ text }) => text.includes('limit 1\n')),
      'one at a time, in a text we can resize',
    )
    t.ok(claims.every(({ text }) => /^with j(_raw)? as \(\s*select jobs\.job_queue_id/.test(text)))
    if (prepared) t.ok(claims.every(({ name }) => name === 'get_job/rowbeat_queue'))
    const done = named(
      prepared ? /^complete_job\/rowbeat_queue$/ : /^delete from "?rowbeat_queue"?\._private_jobs/,
    )
    t.ok(done.length > 0, 'it completes by deleting')
    t.ok(
      done.every(({ text }) => !/locked_by/.test(text)),
      'without asking who owns the job, so we must',
    )
    t.ok(
      named(prepared ? /^fail_job/ : /last_error = \(el->>'message'\)/).length > 0,
      'it fails with a check',
    )
    t.strictSame(
      [...new Set(notices)],
      [
        'LISTEN "jobs:insert"; LISTEN "worker:migrate";',
        'UNLISTEN "jobs:insert"; UNLISTEN "worker:migrate";',
      ],
      'callback-form connect is LISTEN',
    )
  })
}

/** A real pool that notes every statement, and what the callback form of connect is used for. */
function spyOn(inner: pg.Pool, asked: Asked[], listened: string[]): pg.Pool {
  const client = {
    query: async (request: Asked | string, values?: unknown[]) => {
      const { name = '', text } = typeof request === 'string' ? { text: request } : request
      asked.push({ name, text })
      return await inner.query(request as never, values)
    },
    release() {},
    on: () => client,
    once: () => client,
    removeListener: () => client,
  }
  const facade = {
    options: inner.options,
    on: () => facade,
    removeListener: () => facade,
    listeners: () => [],
    query: client.query,
    connect(callback?: (error: null, client: unknown, release: () => void) => void) {
      if (!callback) return Promise.resolve(client)
      callback(
        null,
        { ...client, query: async (text: string) => (listened.push(text), { rows: [] }) },
        () => {},
      )
    },
  }
  return facade as unknown as pg.Pool
}

t.test('completion never reaches the database, named or not', async (t) => {
  const { pool, asked } = fakePool()
  const client = await clientOf(createFacade(pool, quiet))
  await client.query({ name: 'complete_job/rowbeat_queue', text: 'delete from x' })
  await client.query({ name: 'complete_jobs/rowbeat_queue', text: 'delete from x' })
  await client.query({ text: 'delete from "rowbeat_queue"._private_jobs as jobs\nwhere id = $1::bigint' })
  await client.query({ name: 'clear_stale_locks/rowbeat_queue', text: 'with j' })
  t.strictSame(asked, [])
  await client.query({ name: 'fail_job/rowbeat_queue', text: 'update x' })
  t.equal(asked.length, 1, 'failing does: it checks the owner')
})

t.test('a claim waits for room and asks for as much as there is', async (t) => {
  const job = { id: '7' }
  const { pool, asked } = fakePool([job])
  const claimed: unknown[] = []
  let open = (_: number): void => {}
  const facade = createFacade(pool, {
    ...quiet,
    room: () => new Promise((resolve) => (open = resolve)),
    claimed: (jobs: readonly ClaimedJob[]) => void claimed.push(...jobs),
  })
  const client = await clientOf(facade)
  const answer = client.query({ name: 'get_job/rowbeat_queue', text: CLAIM, values: ['pool', [1]] })
  await pause(5)
  t.equal(asked.length, 0, 'no room, no claim')
  open(32)
  t.strictSame((await answer).rows, [job])
  t.match(asked, [{ name: 'claim_runs', text: /rowbeat\.claim_v1\(/, values: ['pool', [1], 32] }])
  t.strictSame(claimed, [job])
  const none = client.query({ name: 'get_job/rowbeat_queue', text: CLAIM, values: ['pool', [1]] })
  open(0)
  t.strictSame((await none).rows, [])
  t.equal(asked.length, 1, 'room for none asks for none')
})

t.test(
  'where runs are fast the next claim is made ahead, and goes back when nobody asks for it',
  async (t) => {
    const { pool, asked } = fakePool([{ id: '7' }])
    const unwanted: unknown[] = []
    let rooms = 0
    let ahead = 64
    const facade = createFacade(pool, {
      ...quiet,
      room: async () => (rooms++, 10),
      ahead: () => ahead,
      unwanted: (jobs) => void unwanted.push(...jobs),
    })
    const client = await clientOf(facade)
    const get = () => client.query({ name: 'get_job/rowbeat_queue', text: CLAIM, values: ['pool', [1]] })
    await get()
    t.strictSame(
      asked.map(({ values }) => values?.[2]),
      [10, 64],
    )
    ahead = 0
    t.strictSame((await get()).rows, [{ id: '7' }])
    t.match([asked.length, rooms], [2, 1], 'answered by what was claimed ahead')
    ahead = 64
    await get()
    await until('it went back', () => unwanted.length === 1, { timeout: 2000 })
  },
)

t.test('a claim of another shape is refused by name of the version', async (t) => {
  const { pool } = fakePool()
  const client = await clientOf(createFacade(pool, quiet))
  await t.rejects(client.query({ name: 'get_job/x', text: CLAIM.replace('limit 1\n', 'limit $3\n') }), {
    code: 'RB_QUEUE_UNKNOWN_VERSION',
    message: /install exactly graphile-worker 0\.18\.0/,
  })
})

t.test('what graphile hands back is told, prepared or not, and goes back where it is still to', async (t) => {
  const { pool, asked } = fakePool()
  const returned: string[] = []
  const client = await clientOf(
    createFacade(pool, {
      ...quiet,
      returned: (ids) => {
        returned.push(...ids)
        return ids.filter((id) => id !== '2')
      },
    }),
  )
  const text = `update "rowbeat_queue"._private_jobs as jobs
set
attempts = GREATEST(0, attempts - 1),
locked_by = null,
locked_at = null
where id = ANY($2::bigint[])
and locked_by = $1::text;`
  await client.query({ name: 'return_job/rowbeat_queue', text, values: ['pool', ['1', '2']] })
  await client.query({ text, values: ['pool', ['2']] })
  await client.query({ text, values: ['pool', ['3']] })
  t.strictSame(returned, ['1', '2', '2', '3'])
  t.strictSame(
    asked.map(({ values }) => values),
    [
      ['pool', ['1']],
      ['pool', ['3']],
    ],
    'what went back by another way may be claimed again by now',
  )
})

t.test('a client that failed is destroyed, and a failed claim is told', async (t) => {
  const failures: unknown[] = []
  const lost = new Error('Query read timeout')
  const broken = fakePool([], lost)
  const client = await clientOf(
    createFacade(broken.pool, { ...quiet, claimFailed: (error) => void failures.push(error) }),
  )
  await t.rejects(client.query({ name: 'get_job/rowbeat_queue', text: CLAIM, values: ['pool', [1]] }), lost)
  t.strictSame(failures, [lost])
  t.strictSame(broken.released, [lost], 'never idle again: its next user would wait as long')
  const refused = fakePool([], Object.assign(new Error('syntax'), { code: '42601' }))
  const other = await clientOf(createFacade(refused.pool, quiet))
  await t.rejects(other.query({ name: 'x', text: 'select' }))
  t.strictSame(refused.released, [false], 'a refused statement says nothing against its connection')
})

t.test('LISTEN gets a stub: one connection a process listens for all lanes', async (t) => {
  const { pool, asked } = fakePool()
  const facade = createFacade(pool, quiet)
  const client = await new Promise<Client>((resolve) =>
    facade.connect(((_error: null, given: Client) => resolve(given)) as never),
  )
  await client.query('LISTEN "jobs:insert"; LISTEN "worker:migrate";')
  t.strictSame(asked, [])
})
