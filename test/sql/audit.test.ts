/** The audit log under SQL: edits by hand are in it, what machines write all the time is not, and nothing in it is changed. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'

const { sql, admin } = await setup(t)
const rows = async () => await sql`select * from rowbeat.audit_log order by id`
const written = async (act: () => PromiseLike<unknown>): Promise<Record<string, unknown>[]> => {
  const before = (await rows()).length
  await act()
  return (await rows()).slice(before)
}

t.test(
  'an edit by SQL is in it, with what was and what is, under the name of the database user',
  async (t) => {
    const [made] = await written(
      () =>
        sql`insert into rowbeat.schedules (name, task, schedule) values ('a', 'demo.add', '{"kind": "interval", "every": 1, "period": "hours"}')`,
    )
    t.match(made, {
      actor: 'rowbeat',
      actor_kind: 'database',
      via: 'sql',
      action: 'schedule.create',
      before: null,
      after: { name: 'a' },
    })
    t.match(await written(() => sql`update rowbeat.schedules set priority = 3, description = 'why'`), [
      {
        action: 'schedule.update',
        before: { priority: null, description: '', version: 1 },
        after: { priority: 3, description: 'why', version: 2 },
      },
    ])
    t.match(await written(() => sql`update rowbeat.queues set rate = '10/m' where name = 'high'`), [
      { action: 'queue.update', target: 'high', before: { rate: null }, after: { rate: '10/m' } },
    ])
    t.match(await written(() => sql`select rowbeat.pause_queue('default', 'rain')`), [
      { action: 'queue.update', after: { pause_reason: 'rain' } },
    ])
    t.match(
      await written(() => sql`insert into rowbeat.task_settings (task, rate) values ('demo.add', '1/s')`),
      [{ action: 'task_settings.create' }],
    )
    t.match(await written(() => sql`select rowbeat.control('quiet', '{}', '{one,two}')`), [
      { action: 'command.create', after: { command: 'quiet', workers: ['one', 'two'] } },
    ])
    t.match(await written(() => sql`update rowbeat.worker_settings set quiet = false where worker = 'one'`), [
      { action: 'worker_settings.update', target: 'one' },
    ])
    t.match(await written(() => sql`select rowbeat.start_operation('revoke', '{"tag": "x"}')`), [
      { action: 'operation.create' },
    ])
    t.match(
      await written(
        () => sql`insert into rowbeat.api_keys (name, prefix, hash) values ('k', 'rb_', sha256('k'))`,
      ),
      [{ action: 'key.create', after: { created_by: 'rowbeat' } }],
    )
    t.match(await written(() => sql`delete from rowbeat.schedules`), [
      { action: 'schedule.delete', before: { name: 'a' }, after: null },
    ])
  },
)

t.test('the role that signed in is noted, whatever the transaction says of who acts', async (t) => {
  const actor = {
    actor: 'ann@example.com',
    kind: 'user',
    id: '1',
    via: 'rest',
    action: 'queue.pause',
    reason: 'rain',
    request_id: 'r',
    address: '192.0.2.1',
  }
  const change = async (said: string): Promise<Record<string, unknown>> => {
    const [row] = await written(() =>
      sql.begin(async (tx) => {
        await tx`select set_config('rowbeat.actor', ${said}, true)`
        await tx`update rowbeat.queues set hot_limit = hot_limit + 1 where name = 'high'`
      }),
    )
    return row!
  }
  t.match(await change(JSON.stringify(actor)), {
    actor: 'ann@example.com',
    actor_kind: 'user',
    actor_id: '1',
    via: 'rest',
    action: 'queue.pause',
    reason: 'rain',
    request_id: 'r',
    address: '192.0.2.1',
    db_user: 'rowbeat',
  })
  for (const said of [
    'no json',
    '[]',
    '{"actor": "x"}',
    '{"actor": "x", "kind": "god", "via": "rest"}',
    '{"actor": "x", "kind": "user", "via": "air"}',
  ])
    t.match(
      await change(said),
      { actor: 'rowbeat', actor_kind: 'database', via: 'sql', action: 'queue.update', actor_id: null },
      said,
    )
})

t.test('firings, heartbeats, the use of a key and what is only asked are not in it', async (t) => {
  await sql`insert into rowbeat.schedules (name, task, schedule, one_off) values ('b', 'demo.add', '{"kind": "interval", "every": 1, "period": "hours"}', true)`
  for (const act of [
    () =>
      sql`update rowbeat.schedules set last_run_at = now(), next_run_at = now(), failures = 2, error = 'x'`,
    () =>
      sql`update rowbeat.schedules set enabled = false, firings_total = firings_total + 1, last_run_at = now()`,
    () => sql`update rowbeat.queues set hot_until = now(), overflow = 3`,
    () => sql`update rowbeat.queues set concurrency = concurrency`,
    () => sql`update rowbeat.api_keys set last_used_at = now()`,
    () => sql`select rowbeat.control('ping')`,
    () => sql`select rowbeat.enqueue('demo.add', '{}', queue => 'brandnew')`,
    () => sql`update rowbeat.operations set done = 5, state = 'done', finished_at = now()`,
  ])
    t.strictSame(await written(act), [])
})

t.test(
  'nothing in it is changed or removed, by its owner neither, but what is beyond its time',
  async (t) => {
    const before = await rows()
    t.ok(before.length > 5)
    for (const owner of [sql, admin]) {
      for (const act of [
        () => owner`update rowbeat.audit_log set actor = 'somebody else'`,
        () => owner`delete from rowbeat.audit_log`,
        () => owner`truncate rowbeat.audit_log`,
        () => owner`insert into rowbeat.audit_log (id, actor, actor_kind, via, action, target_kind) select id, 'x', 'user', 'sql', 'x', 'x' from rowbeat.audit_log limit 1
        on conflict (id) do update set actor = 'x'`,
      ])
        await t.rejects(act(), { code: '42501', message: /append-only/ })
    }
    await t.rejects(sql`select rowbeat.clean_audit_log_v1('29 days')`, { code: '22023' })
    t.strictSame(await rows(), before)
    await sql`insert into rowbeat.audit_log (id, actor, actor_kind, via, action, target_kind)
    select rowbeat.uuid7_floor_v1(now() - interval '401 days'), 'x', 'user', 'sql', 'old', 'x'`
    t.match(await sql`select rowbeat.clean_audit_log_v1('400 days')::integer as gone`, [{ gone: 1 }])
    t.strictSame(await rows(), before)
  },
)

t.test('the last admin stays, whoever tries', async (t) => {
  await sql`insert into rowbeat.users (email, password_hash, role) values ('one@example.com', 'x', 'admin'), ('two@example.com', 'x', 'admin')`
  // Both at once: one of them has to stay.
  const demote = (email: string) => sql`update rowbeat.users set role = 'viewer' where email = ${email}`
  const ends = await Promise.allSettled([demote('one@example.com'), demote('two@example.com')])
  t.strictSame(ends.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  for (const act of [
    () => sql`delete from rowbeat.users where role = 'admin'`,
    () => sql`update rowbeat.users set disabled_at = now() where role = 'admin'`,
    () => sql`update rowbeat.users set role = 'operator' where role = 'admin'`,
    () => sql`delete from rowbeat.users`,
  ])
    await t.rejects(act(), { code: '55006', message: /last admin/ })
})
