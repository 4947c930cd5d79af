/** Workers that are killed with -9: nothing is lost, nothing ends twice, and the rest takes over. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { countUp, percentile, startLoad } from '../torture/crew.ts'
import { seeded } from '../torture/scenario.ts'
import { killTransactions } from '../torture/transaction-kills.ts'
import { killWorkers } from '../torture/worker-kills.ts'

t.setTimeout(100_000)
t.jobs = 3
const clean = { lost: 0, duplicated: 0, unexpected: 0, stuck: 0 }
const tortureOf = async (t: Tap, count: number) => ({
  world: await setup(t),
  count,
  random: seeded(Date.now() % 1_000_000),
  teardown: (handler: () => unknown) => t.teardown(handler),
  log: (line: string) => t.comment(line),
})
type Tap = Parameters<NonNullable<Parameters<typeof t.test>[1] & ((...args: any) => unknown)>>[0]

t.test(
  'a hundred runs of a killed worker are done elsewhere within 15 s, each once',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const load = startLoad(t, url, sql)
    const options = { queues: { default: 100 } }
    const first = await startWorkerProcess(t, url, options)
    await load.add(Array.from({ length: 100 }, (_, i) => ({ ms: 900 + i })))
    await until('a hundred run', async () => {
      const rows = await sql`select running from rowbeat.workers`
      return rows.some(({ running }) => running.length === 100)
    })
    const second = await startWorkerProcess(t, url, options)
    const at = Date.now()
    first.kill('SIGKILL')
    await load.add(Array.from({ length: 200 }, () => ({ ms: 500 })))
    await load.drained(30_000)
    const tookMs = Date.now() - at
    t.comment(`all done ${tookMs} ms after the kill`)
    t.ok(tookMs <= 15_000, `${tookMs} ms`)
    const { tally, recoveries, rerunsUnexplained } = await countUp(sql, load, new Map([[first.pid, at]]))
    t.match(tally, { ...clean, ok: 300 })
    t.equal(rerunsUnexplained, 0)
    t.ok(percentile(recoveries, 0.99) <= 15_000)
    t.match(await sql`select max(redeliveries) as most, max(attempt) as attempt from rowbeat.results`, [
      { most: 1, attempt: 1 },
    ])
    t.notMatch(second.output(), /unhandled/)
  },
)

t.test('twenty random kills under load: every run ends once', { buffered: true }, async (t) => {
  const { tally, rerunsUnexplained } = await killWorkers(await tortureOf(t, 20), {
    workers: 2,
    runs: 1500,
    runMs: 100,
    everyMs: 300,
  })
  t.match(tally, { ...clean, acked: 1500, ok: 1500 })
  t.equal(rerunsUnexplained, 0, 'no run starts twice without a death that explains it')
})

t.test(
  'a transactional task killed twenty times: its table and the results agree',
  { buffered: true },
  async (t) => {
    const tally = await killTransactions(await tortureOf(t, 20), 30)
    t.match(tally, { ...clean, acked: 600, ok: 600 })
  },
)
