/**
 * What runs that wait at a limit cost the others: 200,000 of them at a concurrency limit, or at a rate, in one queue,
 * and a backlog of another queue that is worked off beside. Blocked runs stand parked, so a claim should not know of them.
 */
import postgres from 'postgres'
import { chunks, until } from '../load.ts'
import { makeInputs } from '../peer.ts'
import type { Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const BLOCKED = 200_000
const JOBS = 30_000
const CLAIMS = 60
const CLAIMED = 100

export const blocked: Scenario = {
  name: 'blocked',
  title: 'Beside 200,000 blocked runs',
  about:
    `${BLOCKED} runs of a queue wait at a limit (concurrency 1 whose place is taken; a rate of 1 a day). A claim of ${CLAIMED} runs of another queue, the median of ${CLAIMS} rolled back; ` +
    `then ${JOBS} runs of that queue are drained by one worker.`,
  columns: [
    { metric: 'claim', title: 'claim ms', format: 'ms' },
    { metric: 'rate', title: 'drained/s', format: 'rate' },
  ],
  contestants: [
    { key: 'none', label: 'nothing blocked', limits: null },
    { key: 'concurrency', label: '200,000 at a concurrency limit', limits: { concurrency: 1, rate: null } },
    { key: 'rate', label: '200,000 at a rate', limits: { concurrency: null, rate: '1/d' } },
  ].map(({ key, label, limits }) => ({ key, label, peer: 'rowbeat', group: '', params: { limits } })),

  async seed(peer, params, { databaseUrl }) {
    const limits = params['limits'] as { concurrency: number | null; rate: string | null } | null
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    if (limits) {
      await sql`insert into rowbeat.queues (name, concurrency, rate) values ('shut', ${limits.concurrency}, ${limits.rate})`
      for (const { from, count } of chunks(0, BLOCKED)) {
        const runs = makeInputs(from, count).map((input) => ({ task: 'bench.add', queue: 'shut', input }))
        await sql`select count(*) from rowbeat.enqueue_many(${JSON.stringify(runs)}::text::jsonb)`
      }
    }
    await sql.end()
    for (const { from, count } of chunks(0, JOBS)) await peer.enqueueMany(makeInputs(from, count))
  },

  async measure(peer, _params, { databaseUrl }) {
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    const claim = quantile(await timeClaims(sql), 0.5)
    await sql.end()
    let started = 0
    const from = performance.now()
    await peer.work({ started: () => void started++, finished() {} })
    await until(`${JOBS} jobs ran (${started} did)`, () => started >= JOBS, 2)
    return { claim, rate: JOBS / ((performance.now() - from) / 1000) }
  },
}

async function timeClaims(sql: postgres.Sql): Promise<number[]> {
  const [row] =
    await sql`select array_agg(id) as kinds from rowbeat_queue._private_tasks where identifier = 'default:bench.add'`
  const took: number[] = []
  for (let n = 0; n < CLAIMS; n++) {
    await sql`begin`
    const from = performance.now()
    const claimed =
      await sql`select * from rowbeat.claim_v1('bench', ${row!['kinds']}::integer[], ${CLAIMED})`
    took.push(performance.now() - from)
    if (claimed.length !== CLAIMED) throw new Error(`${claimed.length} were claimed`)
    await sql`rollback`
  }
  return took
}
