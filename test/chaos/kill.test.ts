/** Workers killed with -9: nothing is lost, nothing ends twice, and others take over. Short forms of `npm run torture`. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { exactlyOnce } from '../torture/exactly-once.ts'
import { idempotency } from '../torture/idempotency.ts'
import { revokeAtRandom, revokes } from '../torture/revokes.ts'
import { countResults, promiseRuns, settleRuns } from '../torture/runs.ts'
import { isClean, seeded, toLine, type Scenario, type Torture } from '../torture/scenario.ts'
import { workerKills } from '../torture/worker-kills.ts'

t.setTimeout(150_000)
t.jobs = 3

type Owner = Parameters<typeof setup>[0] & { comment(line: string): void }

async function tortureFor(t: Owner, count: number): Promise<Torture> {
  return {
    world: await setup(t),
    count,
    random: seeded(7),
    teardown: (handler) => t.teardown(handler),
    log: (line) => t.comment(line),
  }
}

t.test(
  'a hundred runs of a killed worker end elsewhere within 20 s, each once',
  { buffered: true },
  async (t) => {
    const torture = await tortureFor(t, 1)
    const { url, admin } = torture.world
    const runs = await promiseRuns(torture, 100, () => ({ ms: 1000 }))
    const claimed = async (): Promise<number> =>
      (
        await admin`select count(*)::int as n from rowbeat_queue._private_jobs where locked_by is not null`
      )[0]!.n
    const first = await startWorkerProcess(t, url, { queues: { default: 100 } })
    await until('all are claimed', async () => (await claimed()) === 100, { every: 10 })
    t.equal(await countResults(torture), 0, 'none has ended')
    first.kill('SIGKILL')
    const began = performance.now()
    await startWorkerProcess(t, url, { queues: { default: 100 } })
    await until('all ended', async () => (await countResults(torture)) === 100, { timeout: 30_000 })
    const seconds = (performance.now() - began) / 1000
    t.comment(`all ended ${seconds.toFixed(1)} s after the kill`)
    t.ok(seconds <= 20, `${seconds} s`)
    const tally = await settleRuns(torture, runs, 1)
    t.ok(isClean(tally), toLine(tally))
  },
)

const shortForms: [Scenario, count: number][] = [
  [workerKills, 20],
  [exactlyOnce, 10],
  [idempotency, 3],
]
for (const [scenario, count] of shortForms) {
  t.test(scenario.says, { buffered: true }, async (t) => {
    const tally = await scenario.run(await tortureFor(t, count))
    t.ok(isClean(tally), toLine(tally))
  })
}
t.test(revokes.says, { buffered: true }, async (t) => {
  const how = { workers: 2, withinMs: 600, flights: 10, killEveryMs: 1500 }
  const { tally } = await revokeAtRandom(await tortureFor(t, 120), how)
  t.ok(isClean(tally), toLine(tally))
})
