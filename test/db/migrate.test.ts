/** Migrations: any number at once, twice is nothing, never over what they do not know, and nothing of the user's is touched. */
import { runMigrations } from 'graphile-worker'
import t from 'tap'
import { toQueryable } from '../../src/db/handle.ts'
import { isMigrated, migrate } from '../../src/db/migrate.ts'
import { checkQueue, QUEUE_MIGRATION } from '../../src/db/statements/jobs.ts'
import { connect } from '../../src/db/connect.ts'
import { setup } from '../helpers/bundle.ts'
import { startProcess } from '../helpers/process.ts'
import { urlOf } from '../helpers/server.ts'

t.test('an empty database is told what would be done, then gets it, then has nothing to do', async (t) => {
  const { url, sql } = await setup(t, { empty: true })
  const { applied, pending } = await migrate({ url, dryRun: true })
  t.strictSame(applied, [])
  t.match(pending[0], {
    name: `graphile-worker 0 -> ${QUEUE_MIGRATION}`,
    sql: /create table .*rowbeat_queue/,
  })
  t.match(pending.at(-1), { name: /^views [0-9a-f]{12}$/, sql: /create or replace view rowbeat.runs/ })
  t.ok(pending.every((step) => step.sql.length > 100))
  t.match(await sql`select to_regnamespace('rowbeat') as ours, to_regnamespace('rowbeat_queue') as theirs`, [
    { ours: null, theirs: null },
  ])
  t.equal(await isMigrated(connect({ url, role: 'test', max: 1 })), false)

  const lines: string[] = []
  const log = { info: (data: { migration?: string }) => void lines.push(data.migration!) } as never
  const done = await migrate({ url, log })
  t.strictSame(
    done.applied,
    pending.map((step) => step.name),
  )
  t.strictSame(lines, done.applied)
  t.strictSame(await migrate({ url }), { applied: [], pending: [] })
  t.strictSame(await migrate({ url, dryRun: true }), { applied: [], pending: [] })
  t.equal(await isMigrated(sql), true)
  t.match(
    await sql`select rolsuper as super, rolcreaterole as makes from pg_roles where rolname = current_user`,
    [{ super: false, makes: false }],
  )
})

t.test('five processes at once on an empty database: one does it, all succeed', async (t) => {
  const { url, sql } = await setup(t, { empty: true })
  const code = `import('./src/db/migrate.ts').then(async ({ migrate }) => console.log('applied', (await migrate({ url: process.env.HERE })).applied.length))`
  const processes = Array.from({ length: 5 }, () =>
    startProcess(t, '-e', { args: [code], env: { HERE: url } }),
  )
  const counts = []
  for (const process of processes) {
    t.match(await process.ended(60_000), { code: 0 }, process.output())
    counts.push(Number(/applied (\d+)/.exec(process.stdout())?.[1]))
  }
  t.equal(counts.filter((count) => count > 0).length, 1, `${counts}`)
  t.match(await sql`select rowbeat.enqueue('a') is not null as works`, [{ works: true }])
})

t.test('settings of the database that a DBA is fond of do not matter', async (t) => {
  const { url, admin } = await setup(t, { empty: true })
  const [{ name }] = (await admin`select current_database() as name`) as never as [{ name: string }]
  for (const setting of [
    "default_transaction_isolation = 'serializable'",
    "statement_timeout = '5s'",
    "search_path = ''",
    'standard_conforming_strings = on',
    "timezone = 'Asia/Kolkata'",
  ])
    await admin.unsafe(`alter database ${name} set ${setting}`)
  t.ok((await migrate({ url })).applied.length > 2)
  const own = connect({ url, role: 'test', max: 1 })
  t.match(await own`select rowbeat.enqueue('a', delay => '1 hour', unique_key => 'k') is not null as works`, [
    { works: true },
  ])
  t.match(
    await own`select count(*)::int as days from pg_catalog.pg_inherits where inhparent = 'rowbeat.results'::regclass`,
    [{ days: 10 }],
  )
  await own.end()
})

t.test('whoever may not create schemas may still find that there is nothing to do', async (t) => {
  const { url, admin, sql } = await setup(t)
  const [{ name }] = (await admin`select current_database() as name`) as never as [{ name: string }]
  await admin.unsafe(
    `alter database ${name} owner to postgres; revoke create on database ${name} from public, rowbeat`,
  )
  t.strictSame((await migrate({ url })).applied, [])
  await sql`delete from rowbeat.migrations where name like 'views %'`
  t.match((await migrate({ url })).applied, [/^views/])
})

t.test('a database of a newer release is refused, whoever asks', async (t) => {
  const { url, sql } = await setup(t)
  await sql`insert into rowbeat.migrations (name) values ('9999_post_future')`
  const ahead = {
    name: 'StoreError',
    code: 'RB_SCHEMA_AHEAD',
    message: /has migration 9999_post_future, which this release does not know: install/,
  }
  await t.rejects(migrate({ url }), ahead)
  await t.rejects(migrate({ url, dryRun: true }), ahead)
  await t.rejects(isMigrated(sql), ahead)
  await sql`delete from rowbeat.migrations where name like '9999%'`
  await sql`insert into rowbeat_queue.migrations (id) values (${QUEUE_MIGRATION + 1})`
  await t.rejects(migrate({ url }), {
    code: 'RB_SCHEMA_AHEAD',
    message: /queue tables are at migration 21; this release knows 20/,
  })
  await t.rejects(checkQueue(toQueryable(sql)), { code: 'RB_QUEUE_UNKNOWN_VERSION' })
})

t.test('changed views are replaced in place: grants on them and views over them stay', async (t) => {
  const { url, sql, admin } = await setup(t)
  await admin.unsafe(
    `do $$ begin create role reader_of_views; exception when duplicate_object or unique_violation then null; end $$`,
  )
  await sql.unsafe(`grant usage on schema rowbeat to reader_of_views; grant select on rowbeat.runs to reader_of_views;
    create schema mine; create view mine.failures as select * from rowbeat.runs where state = 'FAILURE'`)
  await sql`update rowbeat.migrations set name = 'views 000000000000' where name like 'views %'`
  t.equal(await isMigrated(sql), false)
  t.match((await migrate({ url })).applied, [/^views [1-9a-f]/])
  t.match(
    await sql`select has_table_privilege('reader_of_views', 'rowbeat.runs', 'select') as may, to_regclass('mine.failures') is not null as there`,
    [{ may: true, there: true }],
  )
  t.equal((await sql`select name from rowbeat.migrations where name like 'views %'`).length, 1)
})

t.test(
  'views that must be made anew are, unless something of the user depends on them: then nothing is changed',
  async (t) => {
    const { url, sql } = await setup(t)
    await sql.unsafe(
      `drop view rowbeat.runs cascade; create view rowbeat.runs as select 'x'::text as id, 1 as other`,
    )
    await sql`update rowbeat.migrations set name = 'views 000000000000' where name like 'views %'`
    await sql.unsafe(`create schema mine; create view mine.all_runs as select * from rowbeat.runs`)
    await t.rejects(migrate({ url }), {
      name: 'StoreError',
      code: 'RB_VIEW_IN_USE',
      message:
        /something of yours depends on them \(view mine.all_runs depends on view (rowbeat\.)?runs\): drop it, run `rowbeat migrate`, and make it again/,
    })
    t.match(await sql`select * from mine.all_runs`, [{ id: 'x' }])
    await sql`drop view mine.all_runs`
    t.match((await migrate({ url })).applied, [/^views/])
    t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: 0 }])
  },
)

t.test(
  'a new graphile-worker finds no view in its way, and a migration that dies half-way is finished by the next',
  async (t) => {
    const { url, sql } = await setup(t)
    await sql`delete from rowbeat_queue.migrations where id = ${QUEUE_MIGRATION}`
    await t.rejects(checkQueue(toQueryable(sql)), {
      code: 'RB_SCHEMA_BEHIND',
      message: /at migration 19 .* needs 20: run `rowbeat migrate`/,
    })
    await sql.unsafe(`create schema mine; create view mine.all_runs as select * from rowbeat.runs`)
    await t.rejects(migrate({ url }), { code: 'RB_VIEW_IN_USE' })
    t.match(
      await sql`select max(id) as id from rowbeat_queue.migrations`,
      [{ id: QUEUE_MIGRATION - 1 }],
      'refused before anything was done',
    )
    t.match(await sql`select count(*)::int as n from mine.all_runs`, [{ n: 0 }])
    await sql`drop view mine.all_runs`
    t.match((await migrate({ url })).applied, [`graphile-worker 19 -> 20`, /^views/])

    await sql`delete from rowbeat_queue.migrations where id = ${QUEUE_MIGRATION}`
    await sql
      .unsafe(`create function rowbeat_queue.die() returns event_trigger language plpgsql as 'begin end'`)
      .catch(() => {})
    await sql`create rule die as on insert to rowbeat_queue.migrations do instead select 1 / 0`
    await t.rejects(migrate({ url }))
    await sql`drop rule die on rowbeat_queue.migrations`
    t.equal(await isMigrated(sql), false)
    t.match((await migrate({ url })).applied, [`graphile-worker 19 -> 20`, /^views/])
    t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: 0 }])
  },
)

t.test('a graphile-worker of the user in the same database is not touched', async (t) => {
  const { url, sql } = await setup(t, { empty: true })
  await runMigrations({ connectionString: url, logger: undefined })
  await sql`select graphile_worker.add_job('theirs', '{"a": 1}')`
  const look = async (): Promise<unknown> => [
    await sql`select id, task_identifier, attempts, locked_at from graphile_worker.jobs`,
    await sql`select oid::text, relname, relnatts, reltuples >= -1 from pg_class where relnamespace = 'graphile_worker'::regnamespace order by relname`,
    await sql`select proname, md5(prosrc) from pg_proc where pronamespace = 'graphile_worker'::regnamespace order by 1, 2`,
  ]
  const before = JSON.stringify(await look())
  await migrate({ url })
  await sql`select rowbeat.enqueue('ours')`
  t.equal(JSON.stringify(await look()), before)
  t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: 1 }])
})

t.test('queue tables that are not the ones tested are refused', async (t) => {
  const { sql, db } = await setup(t)
  await checkQueue(db)
  for (const [change, undo] of [
    ['add column extra int', 'drop column extra'],
    ['rename column locked_by to locked_with', 'rename column locked_with to locked_by'],
  ] as const) {
    await sql.unsafe(`alter table rowbeat_queue._private_jobs ${change}`)
    await t.rejects(
      checkQueue(db),
      { name: 'StoreError', code: 'RB_QUEUE_UNKNOWN_VERSION', message: /not tested with/ },
      change,
    )
    await sql.unsafe(`alter table rowbeat_queue._private_jobs ${undo}`)
  }
  await checkQueue(db)
  const empty = await setup(t, { empty: true })
  await t.rejects(checkQueue(empty.db), { code: 'RB_SCHEMA_BEHIND', message: /at migration 0/ })
})

t.test('what stands between us and the server is said in one sentence without the password', async (t) => {
  const { url } = await setup(t, { empty: true })
  const wrong = new URL(url)
  wrong.password = 'not-this-one'
  const cases: [string, RegExp][] = [
    [wrong.href, /refused the login: check the user and password/],
    [urlOf(url, 'no_such_database'), /does not exist: create it, or correct DATABASE_URL/],
    ['postgres://me:secret-word@127.0.0.1:1/x', /at 127.0.0.1:1\/x cannot be reached \(ECONNREFUSED\)/],
    ['postgres://me:secret-word@no-such-host.invalid/x', /cannot be reached/],
  ]
  for (const [address, message] of cases) {
    const error = await migrate({ url: address }).catch((error: unknown) => error as Error)
    t.match(error, { name: 'StoreError', code: 'RB_DB_UNREACHABLE', message })
    t.notMatch(String((error as Error).message), /not-this-one|secret-word/)
  }
})
