/** `rowbeat beat` and `rowbeat worker -B` as processes: what they declare, fire and refuse, and how they end. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { DEMO, folder, rowbeat, startRowbeat } from './command.ts'

t.jobs = 3

const EACH_SECOND = `insert into rowbeat.schedules (name, task, schedule, input)
  values ('each second', 'demo.add', '{"kind": "interval", "every": 1, "period": "seconds"}', '{"x": 1, "y": 2}')`

t.test('a beat tells what it declares, fires, and exits 0 on SIGTERM', async (t) => {
  const { url, sql } = await setup(t)
  const beat = startRowbeat(t, ['beat', '--json', '--name', 'b1'], {
    env: { DATABASE_URL: url, ROWBEAT_TASKS: DEMO, ROWBEAT_TIMEZONE: 'Europe/Kyiv' },
  })
  await beat.line(/"schedules"/, 30_000)
  t.strictSame(JSON.parse(beat.stdout()), { name: 'b1', schedules: ['demo: add every hour'] })
  t.match(await sql`select name, origin, schedule from rowbeat.schedules order by name`, [
    { name: 'demo: add every hour', origin: 'code', schedule: { minute: '0', timezone: 'Europe/Kyiv' } },
    {
      name: 'rowbeat.cleanup',
      origin: 'code',
      schedule: { minute: '0', hour: '4', timezone: 'Europe/Kyiv' },
    },
  ])
  await sql.unsafe(EACH_SECOND)
  await until('it has fired', async () => (await sql`select from rowbeat.firings`).length > 0)
  t.match(await sql`select kind, name from rowbeat.workers`, [{ kind: 'beat', name: 'b1' }])
  t.match(await sql`select task, state, schedule from rowbeat.runs limit 1`, [
    { task: 'demo.add', state: 'PENDING', schedule: 'each second' },
  ])

  beat.kill('SIGTERM')
  t.strictSame(await beat.ended(), { code: 0, signal: null })
  t.strictSame([...(await sql`select from rowbeat.workers`)], [], 'its row is gone')
})

t.test('a worker with -B runs what it fires', async (t) => {
  const { url, sql } = await setup(t)
  const worker = startRowbeat(t, ['worker', '-B', '--json'], {
    env: { DATABASE_URL: url, ROWBEAT_TASKS: DEMO },
  })
  await worker.line(/beat started/, 30_000)
  t.match(await sql`select kind from rowbeat.workers order by kind`, [{ kind: 'beat' }, { kind: 'worker' }])
  await sql.unsafe(EACH_SECOND)
  const [ended] = await until('a run ended', async () => {
    const rows =
      await sql`select result, lateness from rowbeat.firings f join rowbeat.results r on r.id = f.run_id`
    return rows.length > 0 && rows
  })
  t.equal(ended!.result, 3)
  worker.kill('SIGTERM')
  t.strictSame(await worker.ended(), { code: 0, signal: null })
})

t.test('rowbeat.config.ts may give schedules, and a beat needs no tasks', async (t) => {
  const { url, sql } = await setup(t)
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'rowbeat.config.ts'),
    `import { every, schedule } from '${ROOT}/src/index.ts'
export const config = { schedules: { reports: schedule('reports', every('1 day'), 'some.report') } }`,
  )
  const beat = startRowbeat(t, ['beat', '--json'], { cwd, env: { DATABASE_URL: url } })
  await beat.line(/"schedules"/, 30_000)
  t.match(JSON.parse(beat.stdout()), { schedules: ['reports'] })
  t.match(await sql`select task, declared from rowbeat.schedules where name = 'reports'`, [
    { task: 'some.report', declared: { schedule: { kind: 'interval', every: 1, period: 'days' } } },
  ])
  beat.kill('SIGTERM')
  await beat.ended()
})

t.test('what is wrong is told in one sentence before anything is written', async (t) => {
  const { url, sql } = await setup(t)
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'tasks.ts'),
    `import { cron, schedule } from '${ROOT}/src/index.ts'
export const never = schedule('never', cron('0 0 31 2 *'), 'some.report')`,
  )
  const env = { DATABASE_URL: url, ROWBEAT_TASKS: 'tasks.ts' }
  const said = await rowbeat(t, ['beat'], { cwd, env })
  t.equal(said.code, 2)
  t.match(said.stderr, /^rowbeat: .*31.*\n$/)
  t.strictSame([...(await sql`select from rowbeat.schedules`)], [])

  const { url: empty } = await setup(t, { empty: true })
  t.match(await rowbeat(t, ['beat'], { env: { DATABASE_URL: empty, ROWBEAT_TASKS: DEMO } }), {
    code: 2,
    stderr: /^rowbeat: The database is not at the schema of this release: run `rowbeat migrate`\.\n$/,
  })
})
