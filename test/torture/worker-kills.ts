/**
 * Three workers at work, and one of them after the other is killed with -9 and replaced. A witness, a worker that serves
 * another queue, sees the dead. At the end every run has ended once, and no run started a second time without a death
 * that explains it.
 */
import type { Account } from './crew.ts'
import { countUp, pauseFor, percentile, startCrew, startLoad } from './crew.ts'
import { until } from '../helpers/wait.ts'
import type { Scenario, Torture } from './scenario.ts'

export interface KillOptions {
  workers: number
  runs: number
  runMs: number
  everyMs: number
}

export async function killWorkers(
  { world, count, random, log, teardown }: Torture,
  { workers, runs, runMs, everyMs }: KillOptions,
): Promise<Account> {
  const owner = { teardown }
  const [crew] = await Promise.all([
    startCrew(owner, world.url, workers),
    startCrew(owner, world.url, 1, { queues: { witness: 1 } }),
  ])
  const load = startLoad(owner, world.url, world.sql)
  await load.add(Array.from({ length: runs }, () => ({ ms: Math.floor(random() * runMs) })))
  const successors: Promise<void>[] = []
  for (let i = 0; i < count; i++) {
    await pauseFor(everyMs * (0.5 + random()))
    await until('the crew is complete', () => crew.members.length === workers, { timeout: 60_000 })
    const victim = crew.members[Math.floor(random() * workers)]!
    successors.push(crew.replace(victim))
    if (i % 50 === 49) log(`${i + 1} kills`)
  }
  await Promise.all(successors)
  await load.drained(90_000)
  const account = await countUp(world.sql, load, crew.killed)
  const { recoveries, rerunsExplained, rerunsUnexplained, workerLost } = account
  log(
    `re-runs explained=${rerunsExplained} unexplained=${rerunsUnexplained} worker_lost=${workerLost} kill to re-run p50=${percentile(recoveries, 0.5)} ms p99=${percentile(recoveries, 0.99)} ms`,
  )
  if (/unhandled/.test(crew.said())) account.tally.unexpected++
  return account
}

export const workerKills: Scenario = {
  says: 'kill -9 of a random worker of three under load: each run ends once, none is lost or starts twice without a reason',
  count: 200,
  run: async (torture) =>
    (await killWorkers(torture, { workers: 3, runs: torture.count * 50, runMs: 200, everyMs: 300 })).tally,
}
