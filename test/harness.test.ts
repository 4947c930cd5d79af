/** The tests' own tools: what every other test stands on. */
import t from 'tap'
import { setup } from './helpers/bundle.ts'
import { startProcess } from './helpers/process.ts'
import { until } from './helpers/wait.ts'

t.test('a test has a migrated database of its own, as an ordinary role', async (t) => {
  const [one, two] = await Promise.all([setup(t), setup(t)])
  t.not(one.url, two.url)
  await one.sql`create table mine (id int)`
  t.match(await two.sql`select to_regclass('mine') as mine`, [{ mine: null }])
  t.match(await one.db.query('select current_user::text as me', []), [{ me: 'rowbeat' }])
  t.match(await one.sql`select to_regclass('rowbeat.results')::text as results`, [
    { results: 'rowbeat.results' },
  ])
})

t.test('an empty database has none of our tables', async (t) => {
  const { sql } = await setup(t, { empty: true })
  t.match(await sql`select to_regnamespace('rowbeat') as schema`, [{ schema: null }])
})

t.test('a wait that ends in vain says what it waited for and what it saw', async (t) => {
  await t.rejects(
    until('pigs fly', () => null, { timeout: 50 }),
    {
      message: 'waited 50 ms in vain until pigs fly; last look: null',
    },
  )
  t.equal(await until('it is there', () => 'here'), 'here')
})

t.test('a process is heard, killed with -9, and its words are kept', async (t) => {
  const child = startProcess(t, '-e', { args: ['console.log("ready 7"); setInterval(() => {}, 1000)'] })
  t.equal((await child.line(/^ready (\d)$/))[1], '7')
  child.kill('SIGKILL')
  t.match(await child.ended(), { code: null, signal: 'SIGKILL' })
  await t.rejects(child.line(/never/, 5000), { message: /ended without saying .*it said: ready 7/ })
})
