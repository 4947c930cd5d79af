/**
 * A worker is stopped (SIGSTOP) for longer than it takes to be declared dead, and goes on (SIGCONT). What it held was
 * given to another, whose outcomes stand; its own are refused and counted, and it starts nothing of what it still holds.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { startWorkerProcess } from '../helpers/worker.ts'
import { until } from '../helpers/wait.ts'
import { countResults, promiseRuns, settleRuns } from './runs.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

const FROZEN_MS = 15_000

export const freeze: Scenario = {
  says: "SIGSTOP of a worker for 15 s, then SIGCONT: its outcomes are refused, the other worker's stand",
  count: 3,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, log } = torture
    const runs = await promiseRuns(torture, 400 * count, () => ({ ms: 1000 }))
    const frozen = await startWorkerProcess(torture, world.url, { queues: { default: 50 } })
    let refused = 0
    for (let times = 1; times <= count; times++) {
      const before = await countResults(torture)
      await until('it is at work', async () => (await countResults(torture)) > before)
      frozen.kill('SIGSTOP')
      if (times === 1) await startWorkerProcess(torture, world.url, { queues: { default: 50 } })
      await pause(FROZEN_MS)
      frozen.kill('SIGCONT')
      await until('it knows', () => (frozen.output().match(/^declared-dead$/gm)?.length ?? 0) >= times, {
        timeout: 20_000,
      })
      refused = frozen.output().match(/^refused /gm)?.length ?? 0
      log(`frozen ${times} times, ${refused} outcomes refused`)
    }
    const tally = await settleRuns(torture, runs, count)
    if (refused === 0) tally.unexpected++
    return tally
  },
}
