/**
 * Every connection of the workers is terminated every 150 ms for some seconds, under load, plain runs and transactional
 * ones. Nothing is lost or stuck, no plain run starts twice (no process died), what the transactional ones wrote agrees
 * with their results, and no rejection goes unhandled: each of those would end a process.
 */
import { makeLedger } from '../helpers/tasks.ts'
import { countTorn, countUp, pauseFor, startCrew, startLoad } from './crew.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

export const connectionCuts: Scenario = {
  says: 'all connections of two workers terminated every 150 ms: nothing lost, stuck, run twice or unhandled',
  count: 100,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, log } = torture
    const load = startLoad(torture, world.url, world.sql)
    await makeLedger(world.sql)
    await load.add(Array.from({ length: count * 150 }, () => ({ ms: 2 })))
    await load.addEntries(count * 10)
    const crew = await startCrew(torture, world.url, 2)
    let sessions = 0
    for (let cuts = 0; cuts < count; cuts++) {
      await pauseFor(150)
      const cut = await world.admin`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name in ('rowbeat worker', 'rowbeat heartbeat', 'rowbeat task')`
      sessions += cut.length
    }
    await load.drained(60_000)
    const { tally, rerunsUnexplained } = await countUp(world.sql, load, crew.killed)
    const torn = await countTorn(world.sql)
    log(`${sessions} sessions terminated, re-runs ${rerunsUnexplained}, torn transactions ${torn}`)
    if (/^unhandled/m.test(crew.said())) log(crew.said().slice(0, 2000))
    const unhandled = /^unhandled/m.test(crew.said()) ? 1 : 0
    return { ...tally, faults: count, unexpected: tally.unexpected + torn + unhandled }
  },
}
