/**
 * Short forms of `npm run torture`: the same scenarios with fewer faults, and the one whose time is promised.
 */
import root from 'tap'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { connectionCuts } from '../torture/connection-cuts.ts'
import { exactlyOnce } from '../torture/exactly-once.ts'
import { freeze } from '../torture/freeze.ts'
import { halfOpen } from '../torture/half-open.ts'
import { countResults, promiseRuns, settleRuns } from '../torture/runs.ts'
import { isClean, seeded, toLine, type Scenario, type Torture } from '../torture/scenario.ts'
import { workerKills } from '../torture/worker-kills.ts'

root.jobs = 2

async function tortureFor(t: typeof root, count: number): Promise<Torture> {
  return {
    world: await setup(t),
    count,
    random: seeded(7),
    teardown: (handler) => t.teardown(handler as () => void),
    log: (line) => t.comment(line),
  }
}

root.test(
  'kill -9 with 100 running runs: all finished within 15 s, none lost, one result each',
  async (t) => {
    const torture = await tortureFor(t, 1)
    const { url, admin } = torture.world
    const runs = await promiseRuns(torture, 100, () => ({ ms: 1000 }))
    const first = await startWorkerProcess(t, url, { queues: { default: 100 } })
    await until(
      'all run',
      async () =>
        (await admin`select count(*)::int as n from rowbeat.runs where state = 'STARTED'`)[0]!.n === 100,
      { every: 20 },
    )
    await startWorkerProcess(t, url, { queues: { default: 100 } })
    if ((await countResults(torture)) > 0) t.comment('some ended before the kill')
    first.kill('SIGKILL')
    const began = performance.now()
    await until('all ended', async () => (await countResults(torture)) === 100, { timeout: 30_000 })
    t.comment(`all ended ${((performance.now() - began) / 1000).toFixed(1)} s after the kill`)
    t.ok(performance.now() - began <= 15_000)
    const tally = await settleRuns(torture, runs, 1)
    t.ok(isClean(tally), toLine(tally))
  },
)

const shortForms: [Scenario, count: number][] = [
  [workerKills, 8],
  [connectionCuts, 20],
  [freeze, 1],
  [halfOpen, 1],
  [exactlyOnce, 20],
]
for (const [scenario, count] of shortForms) {
  root.test(scenario.says, async (t) => {
    const tally = await scenario.run(await tortureFor(t, count))
    t.ok(isClean(tally), toLine(tally))
  })
}
