/**
 * PostgreSQL itself is restarted under load, `-m immediate`: its sessions just end, and it recovers from its log. On a
 * server of the scenario's own. Nothing acknowledged is lost or stuck, no worker dies of it, and work goes on soon.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres } from '../../src/embedded/postgres.ts'
import { migrate } from '../../src/index.ts'
import { makeLedger } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { countTorn, countUp, pauseFor, startCrew, startLoad } from './crew.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

export const restarts: Scenario = {
  says: 'PostgreSQL stopped -m immediate and started again under load: nothing lost or stuck, work goes on',
  count: 20,
  async run(torture: Torture): Promise<Tally> {
    const { count, log, random, teardown } = torture
    const dataDir = mkdtempSync(join(tmpdir(), 'rowbeat-restarts-'))
    // fsync is about power; a server that is killed keeps what the kernel has.
    const start = () => startPostgres({ dataDir, port: 0, settings: { fsync: 'off' } })
    let server = await start()
    const { port } = server
    teardown(async () => {
      await server.stop('immediate').catch(() => {})
      rmSync(dataDir, { recursive: true, force: true })
    })
    const { url } = server
    await migrate({ url })
    const sql = postgres(url, { max: 2, fetch_types: false, onnotice: () => {} })
    teardown(() => sql.end({ timeout: 1 }))
    const owner = { teardown }
    const load = startLoad(owner, url, sql)
    await makeLedger(sql)
    await load.add(Array.from({ length: count * 1500 }, () => ({ ms: 10 })))
    await load.addEntries(count * 20)
    const crew = await startCrew(owner, url, 2)
    const resumes: number[] = []
    const results = async (): Promise<number> =>
      (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n
    for (let times = 0; times < count; times++) {
      await pauseFor(500 + random() * 1000)
      await server.stop('immediate')
      await pauseFor(random() * 1500)
      server = await startPostgres({ dataDir, port, settings: { fsync: 'off' } })
      const began = performance.now()
      const stood = await until('it answers', results)
      await until('work goes on', async () => (await results()) > stood, { timeout: 30_000 })
      resumes.push(performance.now() - began)
    }
    await load.drained(90_000)
    const { tally, rerunsUnexplained } = await countUp(sql, load, crew.killed)
    const torn = await countTorn(sql)
    const slowest = Math.max(...resumes)
    log(
      `work went on ${(slowest / 1000).toFixed(1)} s after a start at the latest, re-runs ${rerunsUnexplained}, torn transactions ${torn}`,
    )
    const said = crew.said()
    if (/^unhandled/m.test(said)) log(said.slice(0, 2000))
    const broken = (/^unhandled/m.test(said) ? 1 : 0) + (slowest > 15_000 ? 1 : 0)
    return { ...tally, faults: count, unexpected: tally.unexpected + torn + broken }
  },
}
