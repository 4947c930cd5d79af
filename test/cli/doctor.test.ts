/** `rowbeat doctor`: each thing that can be wrong is found, with its cure, and what is well is said to be. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import {
  examineClock,
  examineConnections,
  examineHolders,
  examineSettings,
  examineTables,
} from '../../src/cli/doctor/server.ts'
import { examineFleet } from '../../src/cli/doctor/fleet.ts'
import { examineNode } from '../../src/cli/doctor/host.ts'
import { createRowbeat } from '../../src/index.ts'
import { VERSION } from '../../src/version.ts'
import { setup } from '../helpers/bundle.ts'
import { startWorker } from '../helpers/worker.ts'
import { folder } from './command.ts'
import { here } from './here.ts'

const cwd = folder(t)

interface Told {
  code: number | null
  items: { check: string; level: string; message: string; cure: string | null }[]
}

async function examine(url: string): Promise<Told> {
  const { code, stdout } = await here(['doctor', '--json'], { env: { DATABASE_URL: url }, cwd })
  return { code, items: JSON.parse(stdout).items }
}
const lines = ({ items }: Told): string[] => items.map(({ check, level }) => `${level} ${check}`)

t.test('an idle set-up, one that works, and what nobody takes', async (t) => {
  const { url } = await setup(t)
  const idle = await examine(url)
  t.equal(idle.code, 1)
  for (const line of ['ok node', 'ok server', 'ok encoding', 'ok clock', 'ok connections', 'ok schema'])
    t.ok(lines(idle).includes(line), `${line} in ${lines(idle)}`)
  for (const line of ['ok rights', 'ok tables', 'ok transactions', 'fail workers', 'ok queues', 'ok tasks'])
    t.ok(lines(idle).includes(line), `${line} in ${lines(idle)}`)

  await startWorker(t, url, { name: 'w1' })
  const rowbeat = createRowbeat({ databaseUrl: url })
  t.teardown(() => rowbeat.close())
  await rowbeat.enqueue('test.unknown', {}, { queue: 'dark' })
  const busy = await examine(url)
  t.match(
    busy.items.find(({ check }) => check === 'workers'),
    { level: 'ok', message: '1 live: w1' },
  )
  t.match(
    busy.items.find(({ check }) => check === 'queues'),
    { level: 'fail', message: /No live worker serves queue dark/, cure: /rowbeat worker -Q dark/ },
  )
  const { stdout, stderr } = await here(['doctor'], { env: { DATABASE_URL: url }, cwd })
  t.match(stdout, /^ok {4}node +Node \d/)
  t.match(stdout, /^fail {2}queues +No live worker serves queue dark.*\n +-> Start a worker for it/m)
  t.match(stderr, /^\d+ ok, \d+ to look at, \d+ to mend\.\n$/)
})

t.test('a database that is away, empty, or of another release', async (t) => {
  const away = await examine('postgres://nobody@127.0.0.1:1/nowhere')
  t.equal(away.code, 3)
  t.match(away.items.at(-1), { check: 'server', level: 'fail', message: /cannot be reached/ })
  const { url } = await setup(t, { empty: true })
  const empty = await examine(url)
  t.equal(empty.code, 1)
  t.match(empty.items.at(-1), { check: 'schema', level: 'fail', cure: 'Run `rowbeat migrate`.' })
  const { url: newer, sql } = await setup(t)
  await sql`insert into rowbeat.migrations (name) values ('9999_pre_future')`
  t.match((await examine(newer)).items.at(-1), { check: 'schema', level: 'fail', message: /9999_pre_future/ })
  t.match(await here(['doctor'], { cwd }), { code: 2, stderr: /No database is named/ })
})

t.test('a role that may do too little is told so, and the rest is looked at', async (t) => {
  const { url, admin } = await setup(t)
  const role = `doctor_${randomBytes(4).toString('hex')}`
  await admin.unsafe(`create role ${role} login password 'doctor'`)
  t.teardown(() => admin.unsafe(`drop role ${role}`))
  const other = new URL(url)
  other.username = role
  other.password = 'doctor'
  const { code, items } = await examine(other.href)
  t.equal(code, 1)
  t.match(
    items.find(({ check }) => check === 'rights'),
    { level: 'fail', message: `${role} may not use the schemas rowbeat and rowbeat_queue` },
  )
  t.match(
    items.find(({ check }) => check === 'schema'),
    { level: 'warn', message: /could not be looked at: permission denied/ },
  )
})

t.test('what hurts is judged by rules', async (t) => {
  const on = { fsync: 'on', full_page_writes: 'on', autovacuum: 'on', track_counts: 'on' }
  t.match(examineSettings({ ...on, synchronous_commit: 'on' }), [{ level: 'ok' }])
  t.match(examineSettings({ ...on, fsync: 'off', autovacuum: 'off', synchronous_commit: 'off' }), [
    { level: 'fail', message: /^fsync is off/, cure: /alter system set fsync = on/ },
    { level: 'fail', message: /^autovacuum is off/ },
    { level: 'warn', message: /^synchronous_commit is off/ },
  ])
  const facts = (connections: number): any => ({
    connections,
    own: 1,
    settings: { max_connections: '100', superuser_reserved_connections: '3' },
  })
  t.strictSame(
    [50, 80, 95].map((n) => examineConnections(facts(n)).level),
    ['ok', 'warn', 'fail'],
  )
  t.strictSame([examineClock(-900).level, examineClock(-1100).level], ['ok', 'warn'])
  t.match(examineClock(-1500).message, /1500 ms behind the database/)
  t.strictSame(
    ['20.1.0', '22.17.9', '22.18.0', '23.0.0', '24.1.0'].map((version) => examineNode(version).level),
    ['fail', 'fail', 'ok', 'warn', 'ok'],
  )
  const table = { name: 'rowbeat.parked', sizeBytes: 1e9, vacuumedAt: null }
  t.strictSame(
    [
      { live: 1e6, dead: 2e5 },
      { live: 100, dead: 5000 },
      { live: 100, dead: 20_000 },
      { live: 100, dead: 900_000 },
    ].map((counts) => examineTables([{ ...table, ...counts }])[0]!.level),
    ['ok', 'ok', 'warn', 'fail'],
  )
  const session = {
    kind: 'session',
    name: '42',
    age: 10,
    state: 'idle in transaction',
    application: 'psql',
  } as const
  t.strictSame(
    [10, 400, 4000].map((seconds) => examineHolders([{ ...session, seconds }])[0]!.level),
    ['ok', 'warn', 'fail'],
  )
  t.match(examineHolders([{ ...session, seconds: null, age: 2_000_000 }])[0], {
    level: 'fail',
    message: /session 42/,
  })
  const row = {
    kind: 'worker',
    hostname: 'a',
    pid: 1,
    unseen: 0,
    skewMs: 0,
    lagMs: 0,
    isAlive: true,
    stopping: false,
  } as const
  t.match(
    examineFleet([{ ...row, name: 'old', version: '0.0.9' }], []).find(({ check }) => check === 'versions'),
    { level: 'warn', message: `old (0.0.9): of another release than this, ${VERSION}` },
  )
})
