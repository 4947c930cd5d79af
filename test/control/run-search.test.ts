/**
 * A search is read once more here, in the plainest way there is: over all documents of all runs, term by term. What the
 * list finds has to be that, whatever is searched.
 */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { PROCESS } from '../../src/auth/scopes.ts'
import type { RunFilter } from '../../src/db/statements/list-runs.ts'
import { readRunPage } from '../../src/control/run-page.ts'
import { readDocuments } from '../../src/control/run-reader.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { createRowbeat } from '../../src/index.ts'
import type { RunDocument } from '../../src/results/run.ts'
import { parseSearch } from '../../src/results/search/search.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

const NOW = Date.now()

/** Runs in every place, with something in every field. */
async function fill({ sql }: Bundle): Promise<void> {
  await sql`select rowbeat.make_partition_v1((now() at time zone 'UTC')::date - n) from generate_series(2, 12) n`
  await sql`insert into rowbeat.results (id, task, queue, state, reason, priority, input, result, error, attempt, attempts_max, redeliveries, worker, created_at, run_at, started_at,
      finished_at, keep_until, tags, schedule, unique_key, parent, headers)
    select case when i % 50 = 0 then gen_random_uuid() else (substr(rowbeat.uuid7_floor_v1(at)::text, 1, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid end,
      'mail.send_' || i % 3, case when i % 2 = 0 then 'default' else 'high' end, (array['SUCCESS', 'FAILURE', 'REVOKED'])[1 + i % 3],
      (array[null, 'error', 'expired'])[1 + i % 3], i % 4, jsonb_build_object('user', jsonb_build_object('id', i % 7, 'name', 'user ' || i % 5), 'list', jsonb_build_array(i % 4, 'a'), 'none', null),
      case when i % 3 = 0 then to_jsonb(i % 10) end, case when i % 3 = 1 then jsonb_build_object('name', 'TypeError', 'message', '100% of host_' || i % 4 || ' not reachable', 'code', 'E' || i % 2) end,
      1 + i % 3, 3, 0, 'w' || i % 2, at, at, at + interval '1 second', at + interval '1 second' * (1 + i % 20), now() + interval '1 day',
      case when i % 5 = 0 then array['five', 'x'] end, case when i % 6 = 0 then 'nightly' end, case when i % 8 = 0 then 'key:' || i % 16 end,
      case when i % 9 = 0 then '01900000-0000-7000-8000-000000000000'::uuid end, '{"traceparent": "00-1"}'
    from (select i, now() - i * interval '40 minutes' as at from generate_series(1, 300) i) x`
  await sql`insert into rowbeat.queues (name) values ('default'), ('high') on conflict do nothing`
  await sql`select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'mail.send_' || i % 3, 'input', jsonb_build_object('user', jsonb_build_object('id', i % 7)),
      'queue', case when i % 2 = 0 then 'default' else 'high' end, 'tags', case when i % 5 = 0 then '["five"]'::jsonb else '[]' end)) from generate_series(1, 60) i))`
  await sql`select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'mail.send_' || i % 3, 'delay', 3600, 'attempts_max', 2, 'tags', '["five"]'::jsonb,
      'schedule', 'nightly', 'unique_key', 'key:' || i)) from generate_series(1, 40) i))`
  await sql`update rowbeat.parked set reason = (array['eta', 'snooze', 'retry', 'paused', 'overflow'])[1 + abs(hashtext(id::text)) % 5]`
  await sql`update rowbeat_queue._private_jobs set locked_by = 'pool', locked_at = now() where id in (select id from rowbeat_queue._private_jobs order by id limit 20)`
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, pools, running)
    select 'w', 'w1', 'worker', 'h', 1, '1', '{pool}', jsonb_agg(jsonb_build_object('id', key, 'started_at', now() - interval '10 seconds', 'attempt', 1))
    from (select key from rowbeat_queue._private_jobs where locked_by = 'pool' order by id limit 12) j`
  await sql`insert into rowbeat.progress (run_id, current, at) select key::uuid, 1, now() from rowbeat_queue._private_jobs where locked_by = 'pool' order by id limit 5`
}

async function find(db: Bundle['db'], filter: RunFilter): Promise<string[]> {
  const found: string[] = []
  for (let before: string | null | undefined; before !== null;) {
    const page: { items: RunDocument[]; before: string | null } = await readRunPage(db, {
      ...(filter as object),
      before,
      limit: 60,
    })
    found.push(...page.items.map(({ id }) => id))
    before = page.before
  }
  return found
}

/** What operations on these runs would take: what waits or runs, and what has finished. */
async function operated(
  { sql }: Bundle,
  states: readonly string[] | null,
  where: RunFilter['where'],
): Promise<string[]> {
  const filter = JSON.stringify({ where, all: true, ...(states && { state: states }) })
  const rows = await sql`select unnest(n.ids) as id from unnest('{revoke,delete}'::text[]) k
    cross join lateral jsonb_populate_record(null::rowbeat.operations, jsonb_build_object('kind', k, 'filter', ${filter}::text::jsonb, 'created_at', clock_timestamp())) o
    cross join lateral rowbeat.operation_next_v1(o, 1000) n order by id desc`
  return rows.map(({ id }) => id as string)
}

type Holds = (run: RunDocument) => boolean
type Asked = [text: string, holds: Holds]

const like = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    's',
  )
const words = (run: RunDocument): string =>
  run.error
    ? [run.error.name, run.error.message, run.error.code].filter((word) => word !== null).join(' ')
    : ''

/** A field that is text, with values that runs have and some that none has. */
const text = (name: string, of: (run: RunDocument) => (string | null)[], values: string[]) =>
  fc
    .subarray(values, { minLength: 1, maxLength: 3 })
    .map((given): Asked => [
      `${name}:${given.map((value) => (/\s/.test(value) ? `"${value}"` : value)).join(',')}`,
      (run) => of(run).some((value) => value !== null && given.some((one) => like(one).test(value))),
    ])
const ORDER: Record<string, (a: number, b: number) => boolean> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
}
const ordered = (name: string, of: (run: RunDocument) => unknown, values: [string, number][]) =>
  fc
    .tuple(fc.constantFrom(...Object.keys(ORDER)), fc.constantFrom(...values))
    .map(([sign, [value, number]]): Asked => [
      `${name}:${sign}${value}`,
      (run) => typeof of(run) === 'number' && ORDER[sign]!(of(run) as number, number),
    ])
const instant = (name: string, of: (run: RunDocument) => string | null) =>
  ordered(
    name,
    (run) => (of(run) === null ? null : Date.parse(of(run)!)),
    [1, 7, 30, 70, 100, 190].map((hours) => {
      const ms = NOW - hours * 3_600_000 + 12_345
      return hours === 7 ? [`"${new Date(ms).toISOString()}"`, ms] : [new Date(ms).toISOString(), ms]
    }),
  )

/** Of errors without a stack. */
const fingerprint = (task: string, name: string): string =>
  createHash('sha256').update(`${task}\n${name}\n`).digest('hex').slice(0, 16)
const fingerprintOf = (run: RunDocument): string => fingerprint(run.task, run.error!.name)
const input = (run: RunDocument): any => run.input ?? {}
const TERMS: fc.Arbitrary<Asked>[] = [
  fc
    .subarray(['FAILURE', 'pending', 'running', 'succeeded', 'scheduled', 'unfinished'], { minLength: 1 })
    .map((given): Asked => {
      const meant: Record<string, string[]> = {
        running: ['STARTED', 'PROGRESS'],
        succeeded: ['SUCCESS'],
        unfinished: ['PENDING', 'SCHEDULED', 'STARTED', 'PROGRESS', 'RETRY'],
      }
      const states = given.flatMap((word) => meant[word] ?? [word.toUpperCase()])
      return [`state:${given.join(',')}`, (run) => states.includes(run.state)]
    }),
  text('task', (run) => [run.task], [
    'mail.send_1',
    'mail.send_2',
    'mail.*',
    '*send_0',
    'mail.sendx1',
    'other',
  ]),
  text('queue', (run) => [run.queue], ['high', 'default', 'de*', 'none']),
  text('tag', (run) => run.tags, ['five', 'x', 'f*', 'six']),
  text('worker', (run) => [run.worker], ['w1', 'w0', 'w*', 'v']),
  text('schedule', (run) => [run.schedule], ['nightly', 'night*', 'daily']),
  text('unique_key', (run) => [run.unique_key], ['key:8', 'key:*', 'other']),
  text('reason', (run) => [run.reason], ['error', 'eta', 'overflow', 'expired', 'retry']),
  text('failure', (run) => [run.state === 'FAILURE' ? fingerprintOf(run) : null], [
    fingerprint('mail.send_1', 'TypeError'),
    fingerprint('mail.send_0', 'TypeError'),
    '0123456789abcdef',
  ]),
  text('input.user.id', (run) => [String(input(run).user?.id ?? '')], ['3', '5', '99']),
  text('input.user.name', (run) => [input(run).user?.name ?? null], ['user 3', 'user*', 'nobody']),
  text('input.list', (run) => (input(run).list ?? []).map(String), ['2', 'a', 'b']),
  text('error.code', (run) => [run.error?.code ?? null], ['E0', 'E1', 'E*']),
  fc.constant<Asked>(['input.none:null', (run) => input(run).none === null]),
  fc.constant<Asked>(['input.none:"null"', () => false]),
  fc.constantFrom('USER 3', '"id": 5').map((word): Asked => [
    `input:"${word.replaceAll('"', '\\"')}"`,
    (run) =>
      JSON.stringify(run.input ?? null)
        .toLowerCase()
        .includes(word.replace(': ', ':').toLowerCase()),
  ]),
  fc
    .constantFrom('HOST_2', '100%', 'not reachable', 'st__', 'typeerror')
    .map((word): Asked => [
      `error:"${word}"`,
      (run) => words(run).toLowerCase().includes(word.toLowerCase()),
    ]),
  fc
    .constantFrom('send_1', 'HOST_2', '0190', 'reach')
    .map((word): Asked => [
      word,
      (run) =>
        run.id.startsWith(word.toLowerCase()) ||
        [run.task, words(run)].some((given) => given.toLowerCase().includes(word.toLowerCase())),
    ]),
  ordered('attempt', (run) => run.attempt, [
    ['1', 1],
    ['2', 2],
  ]),
  ordered('priority', (run) => run.priority, [
    ['0', 0],
    ['2', 2],
  ]),
  ordered('input.user.id', (run) => input(run).user?.id, [
    ['3', 3],
    ['5.5', 5.5],
  ]),
  ordered('result', () => null, [['1', 1]]).map(([, holds]): Asked => [
    'result:7',
    (run) => /7/.test(JSON.stringify(run.result ?? '')) || holds(run),
  ]),
  instant('created', (run) => run.created_at),
  instant('finished', (run) => run.finished_at),
  instant('started', (run) => run.started_at),
  ordered(
    'duration',
    (run) =>
      run.finished_at
        ? Math.round((Date.parse(run.finished_at) - Date.parse(run.started_at!)) / 1000)
        : run.started_at
          ? 10.5
          : null,
    [
      ['5s', 5],
      ['10s', 10],
      ['"1 minute"', 60],
    ],
  ),
  fc.constant<Asked>(['parent:01900000-0000-7000-8000-000000000000', (run) => run.parent !== null]),
]

const term = fc
  .tuple(fc.boolean(), fc.oneof(...TERMS))
  .map(([isNot, [said, holds]]): Asked => (isNot ? [`-${said}`, (run) => !holds(run)] : [said, holds]))

t.test('whatever is searched, the list finds what a look at every document finds', async (t) => {
  const bundle = await setup(t)
  await fill(bundle)
  const { sql, db } = bundle
  const ids = (await sql`select id from rowbeat.runs order by id desc`).map((row) => row.id as string)
  const documents = await readDocuments(db, ids)
  const all = ids.map((id) => documents.get(id)!)
  t.equal(new Set(all.map((run) => run.state)).size, 8, 'all eight states are there')
  let hits = 0
  await fc.assert(
    fc.asyncProperty(fc.array(term, { minLength: 1, maxLength: 3 }), async (terms) => {
      const said = terms.map(([one]) => one).join(' ')
      const read = parseSearch(said, NOW)
      if (!('search' in read)) throw new Error(`${said}: ${JSON.stringify(read.faults)}`)
      const { states, where } = read.search
      const found = await find(db, { states: states ?? undefined, where })
      const expected = all.filter((run) => terms.every(([, holds]) => holds(run))).map(({ id }) => id)
      if (expected.length > 0) hits++
      const done = await operated(bundle, states, where)
      if (done.join() !== expected.join())
        throw new Error(`${said}: operations find ${done.length}, expected ${expected.length}`)
      if (found.join() !== expected.join())
        throw new Error(`${said}: found ${found.length}, expected ${expected.length}`)
    }),
    { numRuns: 80 },
  )
  t.ok(hits > 25, `${hits} searches found something`)
})

t.test('the control takes a search, and a scope is needed', async (t) => {
  const { sql } = await setup(t)
  const rowbeat = createRowbeat({ db: sql })
  t.teardown(() => rowbeat.close())
  const control = createRunControl(rowbeat)
  const { id } = await rowbeat.enqueue('demo.echo', { user: { id: 42 } })
  const read = parseSearch('input.user.id:42', NOW)
  if (!('search' in read)) throw new Error('a fault')
  const page = await control.list(PROCESS, { limit: 10, where: read.search.where })
  t.strictSame(
    page.items.map((run) => run.id),
    [id],
  )
  await t.rejects(control.list({ ...PROCESS, scopes: ['queues:read'] }, { limit: 1 }), {
    code: 'RB_SCOPE_MISSING',
  })
})
