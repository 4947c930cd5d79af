/**
 * A worker is stopped (SIGSTOP) for longer than it takes to be declared dead, and goes on (SIGCONT). What it held was
 * given to another, whose outcomes stand; its own are refused and counted, and it starts nothing of what it still holds.
 */
import { until } from '../helpers/wait.ts'
import { countUp, pauseFor, startCrew, startLoad } from './crew.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

export async function freezeWorkers(torture: Torture, frozenMs: number): Promise<Tally> {
  const { world, count, log } = torture
  const load = startLoad(torture, world.url, world.sql)
  const options = { queues: { default: 20 }, prefetch: 20 }
  await load.add(Array.from({ length: 30 * count }, () => ({ ms: 1000 })))
  const [[frozen], [other]] = [
    (await startCrew(torture, world.url, 1, options)).members,
    (await startCrew(torture, world.url, 1, { ...options, name: 'other' })).members,
  ]
  let refused = 0
  const stopped = new Map<number, number>()
  for (let times = 1; times <= count; times++) {
    await load.add(Array.from({ length: 400 }, () => ({ ms: 1000 })))
    await until('it is at work', async () => {
      const rows =
        await world.sql`select name, jsonb_array_length(running) as n from rowbeat.workers where pid = ${frozen!.pid}`
      return rows[0]?.n === 20
    })
    frozen!.kill('SIGSTOP')
    stopped.set(frozen!.pid, Date.now())
    await pauseFor(frozenMs)
    frozen!.kill('SIGCONT')
    await until('it knows', () => (frozen!.output().match(/^declared-dead$/gm)?.length ?? 0) >= times, {
      timeout: 20_000,
    })
    await until('its outcomes were refused', () => frozen!.output().match(/^refused /gm)!.length > refused)
    refused = frozen!.output().match(/^refused /gm)!.length
    log(`frozen ${times} times, ${refused} outcomes refused`)
  }
  await load.drained(60_000)
  const { tally, rerunsExplained, rerunsUnexplained } = await countUp(world.sql, load, stopped)
  log(`re-runs explained=${rerunsExplained} unexplained=${rerunsUnexplained}`)
  if (/^unhandled/m.test(frozen!.output() + other!.output())) tally.unexpected++
  return { ...tally, faults: count }
}

export const freeze: Scenario = {
  says: "SIGSTOP of a worker for 30 s, then SIGCONT: its outcomes are refused, the other worker's stand",
  count: 3,
  run: (torture) => freezeWorkers(torture, 30_000),
}
