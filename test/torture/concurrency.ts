/**
 * A concurrency limit for each key over all workers: three processes that are killed now and then, and many keys. Each
 * handler writes down when it begins and ends; from that every start is a sample of how many of its key were under way.
 * A killed process writes no end: what it ran counts as ended when it was killed.
 */
import type postgres from 'postgres'
import { createRowbeat } from '../../src/index.ts'
import { readLedger, scripted, type LedgerLine } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startCrew, startLoad } from './crew.ts'
import { emptyTally, type Scenario } from './scenario.ts'

const LIMIT = 5
const KEYS = 20
const KILLS = 3

export const concurrency: Scenario = {
  says: `${LIMIT} at once for each of ${KEYS} keys over three workers that are killed: --count starts looked at, never one more`,
  count: 10_000,
  async run({ world: { url, sql }, count, random, teardown, log }) {
    const crew = await startCrew({ teardown }, url, 3, { queues: { default: 100 } })
    await sql`update rowbeat.tasks set concurrency = ${LIMIT} where name = 'test.scripted'`
    const load = startLoad({ teardown }, url, sql)
    const rowbeat = createRowbeat({ databaseUrl: url, tasks: [scripted] })
    teardown(() => rowbeat.close())
    const keyOf = new Map<string, string>()
    for (let n = 0; n < count; n += 500) {
      const bodies = Array.from({ length: Math.min(500, count - n) }, (_, i) => ({
        fields: { task: 'test.scripted', concurrency_key: `k${(n + i) % KEYS}` },
        input: JSON.stringify({ ms: Math.ceil(random() * 20), ledger: load.ledger }),
      }))
      const sent = await rowbeat.send(bodies)
      sent.forEach(({ id }, i) => {
        keyOf.set(id, bodies[i]!.fields.concurrency_key)
        load.acked.add(id)
      })
    }
    const before = Date.now()
    for (let kills = 1; kills <= KILLS; kills++) {
      await until('some more have ended', async () => (await ended(sql)) > (kills * count) / (KILLS + 2), {
        timeout: 120_000,
      })
      await crew.replace(crew.members[0]!)
      // The one that started wrote what its code says: no limit.
      await sql`update rowbeat.tasks set concurrency = ${LIMIT} where name = 'test.scripted'`
    }
    await load.drained(600_000)
    const lines = readLedger(load.ledger)
    const most = mostAtOnce(lines, keyOf, crew.killed)
    const starts = lines.filter(({ what }) => what === 'start').length
    log(`${starts} starts in ${Math.round((Date.now() - before) / 1000)} s, at most ${most} of a key at once`)
    const [left] =
      await sql`select count(*)::int as permits from rowbeat.permits p where not exists (select from rowbeat.parked k where k.id = p.run_id)`
    log(`${left!.permits} permits still held`)
    const ok = await ended(sql)
    return {
      ...emptyTally(),
      faults: KILLS,
      attempts: count,
      acked: count,
      ok,
      lost: count - ok,
      unexpected: Math.max(0, most - LIMIT),
    }
  },
}

async function ended(sql: postgres.Sql): Promise<number> {
  const [row] = await sql`select count(*)::int as n from rowbeat.results where state = 'SUCCESS'`
  return row!.n
}

/** The most runs of one key that were under way at one moment; ends come first where the millisecond is the same. */
export function mostAtOnce(
  lines: readonly LedgerLine[],
  keyOf: ReadonlyMap<string, string>,
  killed: ReadonlyMap<number, number>,
): number {
  const ends = new Set(lines.filter(({ what }) => what === 'end').map(({ run, pid }) => `${run} ${pid}`))
  const events = lines.map(({ what, run, at }) => ({
    key: keyOf.get(run)!,
    at,
    step: what === 'start' ? 1 : -1,
  }))
  for (const { what, run, pid } of lines)
    if (what === 'start' && !ends.has(`${run} ${pid}`))
      events.push({ key: keyOf.get(run)!, at: killed.get(pid)!, step: -1 })
  events.sort((a, b) => a.at - b.at || a.step - b.step)
  const now = new Map<string, number>()
  let most = 0
  for (const { key, step } of events) {
    now.set(key, (now.get(key) ?? 0) + step)
    most = Math.max(most, now.get(key)!)
  }
  return most
}
