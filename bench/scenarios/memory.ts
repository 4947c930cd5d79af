/**
 * What a worker process weighs, and whether it leaks: resident memory when idle, after 100,000 and after
 * 1,000,000 runs. A second process enqueues and keeps at most a few thousand runs ahead, so that neither the
 * enqueuer's memory nor a backlog is counted. Each figure is the median of some seconds of samples.
 */
import { until } from '../load.ts'
import { sleep } from '../scenario.ts'
import type { Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const AHEAD = 8_000
const CHUNK = 1_000
const MEGABYTE = 1024 * 1024

function sampler(weigh: () => number): { take(): void; medianOfLast(count: number): number } {
  const samples: number[] = []
  return {
    take: () => void samples.push(weigh() / MEGABYTE),
    medianOfLast: (count) => quantile(samples.slice(-count), 0.5),
  }
}

export const memory: Scenario = {
  name: 'memory',
  title: 'Memory of a worker process',
  about:
    'Resident memory 3 s after start, at run 100,000 and at run 1,000,000, fed by another process; then ' +
    'the size on disk, with its indexes, of the table that holds waiting runs, at once and 70 s later (by ' +
    'then autovacuum has come by).',
  columns: [
    { metric: 'idle', title: 'idle MB', format: 'mb' },
    { metric: 'early', title: 'at 100k MB', format: 'mb' },
    { metric: 'late', title: 'at 1M MB', format: 'mb' },
    { metric: 'growth', title: 'growth MB', format: 'mb' },
    { metric: 'table', title: 'jobs table MB', format: 'mb' },
    { metric: 'tableLater', title: 'a minute later MB', format: 'mb' },
    { metric: 'rate', title: 'jobs/s', format: 'rate' },
  ],
  roundsMax: 1,
  contestants: [
    { key: 'rowbeat', label: '`rowbeat worker`', peer: 'rowbeat-cli', group: '' },
    { key: 'rowbeat-library', label: 'createWorker in a plain node process', peer: 'rowbeat', group: '' },
    {
      key: 'graphile',
      label: 'graphile-worker bare, local queue 500',
      peer: 'graphile',
      group: '',
      options: { concurrency: 24, localQueue: 500, batchDelay: 0 },
    },
  ],

  async measure(peer, params, context) {
    const first = Number(params['first'] ?? 100_000)
    const total = Number(params['total'] ?? 1_000_000)
    let done = 0
    await peer.work({ started: () => void done++, finished() {} })
    await sleep(3000)
    const rss = sampler(() => peer.weight?.() ?? process.memoryUsage.rss())
    for (let count = 0; count < 20; count++, await sleep(50)) rss.take()
    const idle = rss.medianOfLast(20)

    const feeder = context.feed()
    let sent = 0
    let early = 0
    const from = performance.now()
    let lastSample = 0
    await until(
      `${total} runs were done`,
      () => {
        while (sent < total && sent - done < AHEAD) {
          feeder.enqueue(sent, CHUNK)
          sent += CHUNK
        }
        if (performance.now() - lastSample > 50) {
          rss.take()
          lastSample = performance.now()
        }
        if (early === 0 && done >= first) early = rss.medianOfLast(40)
        return done >= total
      },
      5,
      600_000,
    )
    const seconds = (performance.now() - from) / 1000
    const late = rss.medianOfLast(40)
    await feeder.stop()
    await until('the store has none left', async () => (await peer.unfinished()) === 0, 50)
    const table = await tableSize(peer.hotTable!, context)
    await sleep(Number(params['settleMs'] ?? 70_000))
    const tableLater = await tableSize(peer.hotTable!, context)
    return { idle, early, late, growth: late - early, table, tableLater, rate: total / seconds }
  },
}

async function tableSize(table: string, context: { databaseUrl: string }): Promise<number> {
  const { default: postgres } = await import('postgres')
  const sql = postgres(context.databaseUrl, { max: 1 })
  const rows = await sql`select pg_total_relation_size(${table}::regclass)::float8 as bytes`
  await sql.end()
  return rows[0]!['bytes'] / MEGABYTE
}
