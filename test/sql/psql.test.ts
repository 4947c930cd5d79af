/** Enqueue from psql, the client every language's user has at hand: transactions, parameters, refusals, a kill. */
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { startProcess, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'

if (spawnSync('psql', ['--version']).error) {
  t.plan(0, 'psql is not installed: test/sql/psql.test.ts was left out')
} else {
  const { url, sql, admin } = await setup(t)
  const count = async (task: string): Promise<number> =>
    (await sql`select count(*)::int as n from rowbeat.runs where task = ${task}`)[0]!.n
  const open = (): Process =>
    startProcess(t, '-XAtq', {
      program: 'psql',
      args: ['-d', url],
      stdin: 'pipe',
      env: { PGAPPNAME: 'a psql' },
    })
  /** What it answers to these lines; it stays open. */
  const ask = async (psql: Process, lines: string): Promise<string> => {
    const before = psql.stdout().length
    const end = `done ${Math.random()}`
    psql.write(`${lines}\n\\echo ${end}\n`)
    await until('psql answers', () => psql.stdout().includes(end))
    return psql.stdout().slice(before).replace(`${end}\n`, '').trim()
  }
  const once = async (lines: string): Promise<{ out: string; err: string; code: number | null }> => {
    const psql = open()
    psql.write(`\\set ON_ERROR_STOP on\n\\set VERBOSITY verbose\n${lines}\n\\q\n`)
    const { code } = await psql.ended()
    return { out: psql.stdout().trim(), err: psql.stderr(), code }
  }

  t.test(
    'an order and its run in one transaction: unseen before commit, seen after, gone after rollback',
    async (t) => {
      await sql`create table orders (id int primary key, run_id uuid)`
      const [one, two] = [open(), open()]
      const look = `select (select count(*) from orders), (select count(*) from rowbeat.runs where task = 'psql.order');`
      const id = await ask(
        one,
        `begin; insert into orders values (1); select rowbeat.enqueue('psql.order', '{"order": 1}', queue => 'high');`,
      )
      t.match(id, /^[0-9a-f-]{36}$/)
      t.equal(await ask(two, look), '0|0')
      t.equal(await ask(one, `select state from rowbeat.run('${id}');`), 'PENDING', 'it sees itself')
      await ask(one, 'commit;')
      t.equal(await ask(two, look), '1|1')
      await ask(one, `begin; insert into orders values (2); select rowbeat.enqueue('psql.order'); rollback;`)
      t.equal(await ask(two, look), '1|1')
      await ask(
        one,
        `begin; savepoint s; select rowbeat.enqueue('psql.order'); rollback to s; select rowbeat.enqueue('psql.after'); commit;`,
      )
      t.equal(await ask(two, look), '1|1')
      t.equal(await count('psql.after'), 1)
    },
  )

  t.test('a psql that is killed before its commit leaves nothing', async (t) => {
    const psql = open()
    await ask(psql, `begin; insert into orders values (9); select rowbeat.enqueue('psql.killed');`)
    psql.kill('SIGKILL')
    await psql.ended()
    await until('the server has noticed', async () => {
      const rows =
        await admin`select from pg_stat_activity where application_name = 'a psql' and state like 'idle in%'`
      return rows.length === 0
    })
    t.equal(await count('psql.killed'), 0)
    t.match(await sql`select count(*)::int as n from orders where id = 9`, [{ n: 0 }])
  })

  t.test('variables, named parameters and many at once', async (t) => {
    const { out, code } = await once(`
      \\set input '{"name": "O''Brien", "note": "Захар Беркут"}'
      select rowbeat.enqueue('psql.named', :'input', priority => -1, delay => '1 hour', expires => now() + '1 day'::interval, tags => '{a,"b c"}',
        unique_key => 'k', headers => '{"trace": 1}', options => '{"attempts_max": 3}') as id \\gset
      select state, priority, input->>'name', tags, attempts_max, expires_at > run_at from rowbeat.run(:'id');
      select ordinal, created from rowbeat.enqueue_many('[{"task": "psql.many"}, {"task": "psql.named", "unique_key": "k"}]');
      select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'psql.rows', 'input', jsonb_build_object('n', n), 'eta', now() + n * interval '1 hour'))
        from generate_series(1, 250) n));
      select count(distinct run_at) from rowbeat.runs where task = 'psql.rows' and state = 'SCHEDULED';`)
    t.equal(code, 0)
    t.strictSame(out.split('\n'), [`SCHEDULED|-1|O'Brien|{a,"b c"}|3|t`, '1|t', '2|f', '250', '250'])
  })

  t.test('a refusal names the field, its SQLSTATE says what kind, and nothing is written', async (t) => {
    const refused: [string, RegExp][] = [
      [`select rowbeat.enqueue('bad name');`, /ERROR:  22023: task: must match/],
      [`select rowbeat.enqueue('psql.bad', queue => 'No');`, /ERROR:  22023: queue: must match/],
      [`select rowbeat.enqueue('psql.bad', '{"x": "\\u0000"}');`, /ERROR:  22P05/],
      [
        `select rowbeat.enqueue('psql.bad', unique_key => 'k'); select rowbeat.enqueue('psql.bad', unique_key => 'k', options => '{"on_conflict": "reject"}');`,
        /ERROR:  23505: unique_key: "k" is held by run .*\n(.*\n)*HINT:  Wait for it/,
      ],
      [
        `select * from rowbeat.enqueue_many('[{"task": "psql.bad"}, {"task": "psql.bad", "color": 1}]');`,
        /ERROR:  22023: color: is not a field of a run; known are task, input.*\nDETAIL:  1/,
      ],
    ]
    for (const [lines, error] of refused) {
      const { err, code } = await once(`begin; ${lines} commit;`)
      t.match(err, error)
      t.equal(code, 3)
    }
    t.equal(await count('psql.bad'), 0)
  })
}
