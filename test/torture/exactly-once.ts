/**
 * A transactional task's worker is killed with -9 at random moments. Its table and the results must agree exactly: every
 * effect has its result, every result its effect, none twice.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createRowbeat } from '../../src/index.ts'
import { entry, makeLedger } from '../helpers/tasks.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { settleRuns } from './runs.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

const AT_ONCE = 2

export const exactlyOnce: Scenario = {
  says: 'a transactional task, its worker killed at random: its table and the results agree exactly',
  count: 500,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, random, log } = torture
    await makeLedger(world.sql)
    const rowbeat = createRowbeat({ databaseUrl: world.adminUrl, tasks: [entry] })
    torture.teardown(() => rowbeat.close())
    const handles = await rowbeat.enqueueMany(
      Array.from({ length: 1000 + count * 40 }, () => ({ task: entry, input: { ms: 5 } })),
    )
    let kills = 0
    const lane = async (): Promise<void> => {
      while (kills++ < count) {
        const worker = await startWorkerProcess(torture, world.url, { queues: { default: 10 } })
        await pause(50 + random() * 400)
        worker.kill('SIGKILL')
        await worker.ended()
        // Not what is tried here: its runs go back at once, not after ten seconds.
        await world.admin`update rowbeat.workers set seen_at = '-infinity', running = '[]'`
        if (kills % 50 === 0) log(`${kills} kills`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    await startWorkerProcess(torture, world.url, { queues: { default: 20 } })
    const tally = await settleRuns(
      torture,
      { ids: new Set(handles.map(({ id }) => id)), attempts: handles.length },
      count,
    )
    const [sums] = await world.admin`
      select (select count(*)::int from (select run from ledger group by run having count(*) > 1) x) as twice,
        (select count(*)::int from ledger l full join rowbeat.results r on r.id = l.run where l.run is null or r.id is null) as apart`
    tally.duplicated += sums!.twice
    tally.unexpected += sums!.apart
    return tally
  },
}
