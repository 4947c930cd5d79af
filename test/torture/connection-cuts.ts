/**
 * Every connection of the workers is terminated every 150 ms for some seconds, under load, plain runs and transactional
 * ones. Nothing is lost or stuck, no plain run starts twice (no process died, unless the storm outlasts ten seconds of
 * somebody's heart: one that was declared dead loses what it held, and says so), what the transactional ones wrote agrees
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
    const said = crew.said()
    const deaths = said.match(/^declared-dead$/gm)?.length ?? 0
    log(
      `${sessions} sessions terminated, re-runs ${rerunsUnexplained}, declared dead ${deaths}, torn transactions ${torn}`,
    )
    const unhandled = /^unhandled/m.test(said) ? 1 : 0
    if (unhandled > 0 || (rerunsUnexplained > 0 && deaths === 0)) log(said.slice(0, 2000))
    const explained = deaths > 0 ? rerunsUnexplained : 0
    return { ...tally, faults: count, unexpected: tally.unexpected - explained + torn + unhandled }
  },
}
