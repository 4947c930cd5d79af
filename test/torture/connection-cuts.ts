/**
 * Every connection of the workers is terminated every 150 ms for some seconds, under load. Nothing is lost or stuck,
 * and no rejection goes unhandled: each of those would end a process.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { startWorkerProcess } from '../helpers/worker.ts'
import { promiseRuns, settleRuns } from './runs.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

export const connectionCuts: Scenario = {
  says: 'all connections of two workers terminated every 150 ms: nothing lost, stuck or unhandled',
  count: 100,
  async run(torture: Torture): Promise<Tally> {
    const { world, count } = torture
    const runs = await promiseRuns(torture, count * 200, () => ({ ms: 2 }))
    const workers = await Promise.all([1, 2].map(() => startWorkerProcess(torture, world.url)))
    for (let cuts = 0; cuts < count; cuts++) {
      await pause(150)
      await world.admin`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name in ('rowbeat worker', 'rowbeat heartbeat')`
    }
    const tally = await settleRuns(torture, runs, count)
    for (const worker of workers) if (/^unhandled/m.test(worker.output())) tally.unexpected++
    return tally
  },
}
