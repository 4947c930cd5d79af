/** Who may do what in SQL: EXECUTE on enqueue is enough to enqueue and for nothing else, and no search_path changes that. */
import postgres from 'postgres'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'

const { sql, admin, adminUrl } = await setup(t)
const CALLER = `caller_${process.pid}`
const READER = `reader_${process.pid}`
await admin.unsafe(`create role ${CALLER}; create role ${READER}`)
t.teardown(async () => {
  const again = postgres(adminUrl, { max: 1 })
  await again.unsafe(`drop owned by ${CALLER}, ${READER} cascade; drop role ${CALLER}; drop role ${READER}`)
  await again.end()
})

/** In a transaction as `role`, kept unless it fails. */
const as = (role: string, text: string, before = ''): Promise<postgres.RowList<postgres.Row[]>> =>
  admin.begin(async (tx) => {
    if (before) await tx.unsafe(before)
    await tx.unsafe(`set local role ${role}`)
    return await tx.unsafe(text)
  }) as never

t.test('nobody may do anything before it is granted', async (t) => {
  await t.rejects(as(CALLER, `select rowbeat.enqueue('a')`), { code: '42501', message: /schema rowbeat/ })
  await sql.unsafe(`grant usage on schema rowbeat to ${CALLER}, ${READER}`)
  await t.rejects(as(CALLER, `select rowbeat.enqueue('a')`), { code: '42501', message: /function enqueue/ })
})

t.test('with EXECUTE on enqueue and enqueue_many a role enqueues in every way', async (t) => {
  await sql.unsafe(`grant execute on function rowbeat.enqueue, rowbeat.enqueue_many to ${CALLER}`)
  const ways = [
    `rowbeat.enqueue('new.task')`,
    `rowbeat.enqueue('new.task', '{"a": 1}', queue => 'never-seen', priority => 3, tags => array['x'], headers => '{}')`,
    `rowbeat.enqueue('new.task', delay => '1 hour', id => gen_random_uuid(), unique_key => 'k', options => '{"on_conflict": "replace", "attempts_max": 3}')`,
    `rowbeat.enqueue('new.task', unique_key => 'k', options => '{"on_conflict": "replace"}')`,
    `rowbeat.enqueue_many('[{"task": "x"}, {"task": "y", "unique_key": "k"}, {"task": "z", "delay": 5}]')`,
  ]
  for (const way of ways) t.ok((await as(CALLER, `select ${way}`)).length, way)
  t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: 7 }])
})

t.test('and reads, writes and calls nothing else', async (t) => {
  const relations =
    await admin`select relnamespace::regnamespace || '.' || quote_ident(relname) as name from pg_class
    where relnamespace in ('rowbeat'::regnamespace, 'rowbeat_queue'::regnamespace) and relkind in ('r', 'v', 'p', 'm')`
  t.ok(relations.length > 20)
  for (const { name } of relations) {
    await t.rejects(as(CALLER, `select * from ${name}`), { code: '42501' }, `select ${name}`)
    await t.rejects(as(CALLER, `delete from ${name}`), { code: /42501|55000/ }, `delete ${name}`)
  }
  const open = await admin`select p.oid::regprocedure::text as name from pg_proc p
    where pronamespace in ('rowbeat'::regnamespace) and has_function_privilege(${CALLER}, p.oid, 'execute') and prorettype <> 'trigger'::regtype`
  t.strictSame(open.map((row) => row.name.replace(/\(.*/, '')).sort(), [
    'rowbeat.enqueue',
    'rowbeat.enqueue_many',
  ])
  for (const call of [
    'rowbeat.end_waiting_v1(gen_random_uuid(), $$revoked$$)',
    'rowbeat.make_partition_v1(current_date)',
    'rowbeat.drop_expired_partitions_v1()',
    'rowbeat.mark_overflow_v1($$default$$, 1, 0)',
  ])
    await t.rejects(as(CALLER, `select ${call}`), { code: '42501' }, call)
})

t.test(
  'every function that runs as its owner has its search_path fixed, and its owner is no superuser',
  async (t) => {
    const functions =
      await admin`select p.oid::regprocedure::text as name, proconfig as settings, rolsuper as super from pg_proc p join pg_roles r on r.oid = proowner
    where pronamespace = 'rowbeat'::regnamespace and prosecdef`
    t.ok(functions.length >= 5)
    for (const { name, settings, super: isSuper } of functions) {
      t.ok(settings?.includes('search_path=pg_catalog, pg_temp'), name)
      t.notOk(isSuper, name)
    }
    t.match(
      await admin`select count(*)::int as n from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
    where pronamespace = 'rowbeat'::regnamespace and a.grantee = 0`,
      [{ n: 0 }],
      'PUBLIC may call none of ours',
    )
  },
)

t.test('a search_path of the caller leads nowhere: what it shadows is not called', async (t) => {
  await admin.unsafe(`create schema evil authorization ${CALLER}`)
  const boom = `returns %s language plpgsql as $$ begin raise exception 'hijacked by %%', current_user; end $$`
  const traps: [string, string][] = [
    ['jsonb_array_length(jsonb)', 'int'],
    ['jsonb_array_elements(jsonb)', 'setof jsonb'],
    ['jsonb_typeof(jsonb)', 'text'],
    ['jsonb_build_object(variadic "any")', 'jsonb'],
    ['jsonb_strip_nulls(jsonb)', 'jsonb'],
    ['jsonb_build_array(variadic "any")', 'jsonb'],
    ['jsonb_set(jsonb, text[], jsonb)', 'jsonb'],
    ['random()', 'float8'],
    ['statement_timestamp()', 'timestamptz'],
    ['clock_timestamp()', 'timestamptz'],
    ['sha256(bytea)', 'bytea'],
    ['convert_to(text, text)', 'bytea'],
    ['pg_notify(text, text)', 'void'],
    ['hashtextextended(text, int8)', 'int8'],
    ['pg_advisory_xact_lock(int8)', 'void'],
    ['pg_column_size("any")', 'int'],
    ['length(text)', 'int'],
    ['uuidv7()', 'uuid'],
    ['gen_random_uuid()', 'uuid'],
    ['to_jsonb(text[])', 'jsonb'],
  ]
  for (const [signature, result] of traps) {
    // Pseudo-typed parameters are for C functions only: shadow those by the types they are called with.
    const plain = signature.replace('variadic "any"', 'text, text').replace('"any"', 'jsonb')
    await as(CALLER, `create function evil.${plain} ${boom.replace('%s', result).replaceAll('%%', '%')}`)
  }
  await as(
    CALLER,
    `create function evil.never(jsonb, jsonb) ${boom.replace('%s', 'jsonb').replaceAll('%%', '%')};
    create operator evil.|| (leftarg = jsonb, rightarg = jsonb, function = evil.never);
    create function evil.never_text(jsonb, text) ${boom.replace('%s', 'text').replaceAll('%%', '%')};
    create operator evil.->> (leftarg = jsonb, rightarg = text, function = evil.never_text)`,
  )
  const path = `create temp table queues (name text, overflow smallint, paused_at timestamptz, hot_until timestamptz) on commit drop;
    create temp table tasks (name text, queue text) on commit drop; grant all on queues, tasks to ${CALLER};
    set local search_path = evil, pg_temp, pg_catalog`
  const all = `select rowbeat.enqueue('h.run', '{"a": 1}'::pg_catalog.jsonb, queue => 'high', delay => '1 hour', id => '0192a0f0-0000-7000-8000-0000000000aa', unique_key => 'h',
    tags => array['a'], headers => '{"h": 1}', options => '{"on_conflict": "replace", "retry": {"backoff": ["1s"]}}')`
  t.ok((await as(CALLER, all, path)).length)
  t.ok(
    (
      await as(
        CALLER,
        `select * from rowbeat.enqueue_many('[{"task": "h.a"}, {"task": "h.run", "unique_key": "h", "on_conflict": "replace"}]')`,
        path,
      )
    ).length,
  )
  await t.rejects(
    as(CALLER, `select jsonb_typeof('1'::pg_catalog.jsonb)`, path),
    { message: `hijacked by ${CALLER}` },
    'the trap itself works',
  )
  t.match(await sql`select count(*)::int as n from rowbeat.runs where task like 'h.%'`, [{ n: 3 }])
})

t.test('a reader of the view sees every run and no table', async (t) => {
  await sql.unsafe(
    `grant select on rowbeat.runs to ${READER}; grant execute on function rowbeat.run to ${READER}`,
  )
  const [{ n }] = (await sql`select count(*)::int as n from rowbeat.runs`) as never as [{ n: number }]
  t.match(await as(READER, `select count(*)::int as n from rowbeat.runs`), [{ n }])
  t.equal((await as(READER, `select * from rowbeat.run('0192a0f0-0000-7000-8000-0000000000aa')`)).length, 1)
  await t.rejects(as(READER, `select * from rowbeat.results`), { code: '42501' })
  await t.rejects(as(READER, `select rowbeat.enqueue('a')`), { code: '42501' })
  await t.rejects(as(READER, `delete from rowbeat.runs`), { code: /42501|55000/ })
})
