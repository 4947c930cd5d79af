/**
 * Transactional runs, in a process that is killed with -9 at a random moment, again and again: what they wrote and what
 * became of them must agree exactly. A ledger row without a result, a result without a row, or two rows of one run
 * would each be an effect that happened not once.
 */
import { createRowbeat } from '../../src/index.ts'
import { entry, makeLedger } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { pauseFor, startCrew } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

export async function killTransactions(
  { world, count, random, log, teardown }: Torture,
  runsPerKill: number,
): Promise<Tally & { redelivered: number }> {
  const owner = { teardown }
  const { sql, url } = world
  await makeLedger(sql)
  const rowbeat = createRowbeat({ databaseUrl: url, tasks: [entry] })
  teardown(() => rowbeat.close())
  const crew = await startCrew(owner, url, 2)
  await startCrew(owner, url, 1, { queues: { witness: 1 } })
  const acked = new Set<string>()
  for (let i = 0; i < count; i++) {
    const items = Array.from({ length: runsPerKill }, () => ({
      task: entry,
      input: { ms: Math.floor(random() * 40) },
    }))
    for (const { id } of await rowbeat.enqueueMany(items)) acked.add(id)
    await pauseFor(20 + random() * 150)
    await crew.replace(crew.members[Math.floor(random() * crew.members.length)]!)
    if (i % 50 === 49) log(`${i + 1} kills`)
  }
  await until(
    'all ended',
    async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n >= acked.size,
    { timeout: 90_000, every: 200 },
  ).catch(() => {})
  const [row] = await sql`
    with effects as (select run, count(*)::int as n from ledger group by run)
    select count(*) filter (where r.state = 'SUCCESS' and e.n = 1)::int as ok,
      count(*) filter (where r.state <> 'SUCCESS' and e.n is null)::int as failed,
      count(*) filter (where e.n > 1)::int as twice,
      count(*) filter (where r.id is null or (r.state = 'SUCCESS') <> (e.n is not null))::int as torn,
      (select count(*)::int from rowbeat_queue._private_jobs) + (select count(*)::int from rowbeat.parked) as stuck,
      count(*) filter (where r.redeliveries > 0)::int as redelivered
    from rowbeat.results r full join effects e on e.run = r.id`
  const lost = acked.size - row!.ok - row!.failed - row!.stuck
  log(`redelivered ${row!.redelivered}, ended as worker_lost ${row!.failed}`)
  return {
    ...emptyTally(),
    faults: count,
    attempts: acked.size,
    acked: acked.size,
    ok: row!.ok + row!.failed,
    lost,
    duplicated: row!.twice,
    unexpected: row!.torn + (/unhandled/.test(crew.said()) ? 1 : 0),
    stuck: row!.stuck,
    redelivered: row!.redelivered,
  }
}

export const transactionKills: Scenario = {
  says: 'transactional runs killed at random moments: their table and the results agree exactly',
  count: 500,
  async run(torture) {
    const { redelivered: _, ...tally } = await killTransactions(torture, 40)
    return tally
  },
}
