import t from 'tap'
import { serve } from './world.ts'

t.test('/healthz tells that the process runs, and asks no database', async (t) => {
  const { call, sql } = await serve(t)
  await sql.end({ timeout: 5 })
  const answer = await call('GET', '/healthz', undefined, { key: null })
  t.equal(answer.status, 200)
  t.strictSame(answer.json, { status: 'ok', version: '1.2.3' })
  t.equal((await call('HEAD', '/healthz', undefined, { key: null })).status, 200)
})

t.test('/readyz is 200 on a migrated database that may be written to', async (t) => {
  const { call } = await serve(t)
  t.strictSame((await call('GET', '/readyz', undefined, { key: null })).json, { status: 'ready' })
})

t.test('/readyz is 503 while a migration is missing, and 200 when only a newer one is there', async (t) => {
  const { call, sql } = await serve(t)
  const [gone] = await sql`delete from rowbeat.migrations where name like '0002%' returning name`
  const answer = await call('GET', '/readyz', undefined, { key: null })
  t.equal(answer.status, 503)
  t.match(answer.json, { code: 'RB_SCHEMA_BEHIND', detail: /rowbeat migrate/ })
  t.ok(Number(answer.headers['retry-after']) > 0)
  await sql`insert into rowbeat.migrations (name) values (${gone!.name}), ('9999_pre_future')`
  t.equal((await call('GET', '/readyz', undefined, { key: null })).status, 200)
})

t.test('/readyz is 503 on a server that may not be written to', async (t) => {
  const { call, admin, sql } = await serve(t)
  const [{ name }] = (await sql`select current_database() as name`) as unknown as [{ name: string }]
  await admin.unsafe(`alter database ${name} set default_transaction_read_only = on`)
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`
  const answer = await call('GET', '/readyz', undefined, { key: null })
  t.equal(answer.status, 503)
  t.match(answer.json, { code: 'RB_DB_UNREACHABLE' })
})
