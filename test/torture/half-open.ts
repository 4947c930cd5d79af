/**
 * The network swallows everything without closing anything. A worker behind it must notice by its own deadlines and go on
 * over new connections; while all of them are swallowed, another worker takes its runs.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { startProxy } from '../helpers/proxy.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { until } from '../helpers/wait.ts'
import { countResults, promiseRuns, settleRuns } from './runs.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

export const halfOpen: Scenario = {
  says: 'all connections of the only worker swallow everything: work goes on within 15 s, over new ones',
  count: 10,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, log } = torture
    const proxy = await startProxy(torture, world.url)
    const runs = await promiseRuns(torture, 3000 * count, () => ({ ms: 20 }))
    await startWorkerProcess(torture, proxy.url, { queues: { default: 20 } })
    let slowest = 0
    for (let times = 0; times < count; times++) {
      const before = await countResults(torture)
      await until('it is at work', async () => (await countResults(torture)) > before + 50, {
        timeout: 20_000,
      })
      proxy.each((link) => link.swallow())
      await pause(200)
      const [stood, began] = [await countResults(torture), performance.now()]
      await until('work goes on', async () => (await countResults(torture)) > stood, { timeout: 30_000 })
      slowest = Math.max(slowest, performance.now() - began)
    }
    log(`work went on after ${(slowest / 1000).toFixed(1)} s at the latest`)
    const tally = await settleRuns(torture, runs, count)
    if (slowest > 15_000) tally.unexpected++
    return tally
  },
}
