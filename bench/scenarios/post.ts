/**
 * What a service that takes runs over HTTP can take: ours with all it does (key, validation, documents), beside a
 * handler written by hand that does nothing but INSERT and add_job in one transaction. One process serves; no worker
 * runs.
 */
import { openCaller } from '../http.ts'
import { closedLoop } from '../load.ts'
import type { Service } from '../peers/service.ts'
import { makeInput } from '../peer.ts'
import type { Contestant, Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const services: Omit<Contestant, 'group'>[] = [
  { key: 'rowbeat', label: 'POST /v1/runs: 202 and the run', peer: 'service', options: { with: 'rowbeat' } },
  {
    key: 'add_job',
    label: 'a Fastify handler: INSERT and add_job in a transaction',
    peer: 'service',
    options: { with: 'add_job' },
  },
]

/** A service lives for weeks, and a process that has just begun interprets its code. */
const WARM_UP_MS = 8000

export const post: Scenario = {
  name: 'post',
  title: 'Enqueue over HTTP',
  about:
    'Connections that are kept open each send a request, wait for its answer, and send the next; one process serves, no worker ' +
    'runs; 4 s after 8 s of warm-up, by when Node has compiled what is hot. Answers a second, and how long one took.',
  columns: [
    { metric: 'rate', title: 'per second', format: 'rate' },
    { metric: 'p50', title: 'p50', format: 'ms' },
    { metric: 'p99', title: 'p99', format: 'ms' },
  ],
  contestants: [16, 64].flatMap((count) =>
    services.map((one) => ({
      ...one,
      key: `${one.key}@${count}`,
      group: `${count} connections`,
      params: { inFlight: count },
    })),
  ),

  async measure(peer, params) {
    const { address } = peer as Service
    const count = Number(params['inFlight'])
    const callers = await Promise.all(
      Array.from({ length: count }, () => openCaller(address.port, address.key)),
    )
    const free = [...callers]
    const took: number[] = []
    const [path, wrap] = address.key
      ? ['/v1/runs', (input: unknown) => ({ task: 'bench.add', input })]
      : ['/orders', (input: unknown) => input]
    let isMeasured = false
    setTimeout(() => (isMeasured = true), WARM_UP_MS)
    const rate = await closedLoop({ inFlight: count, warmUpMs: WARM_UP_MS, durationMs: 4000 }, async (x) => {
      const caller = free.pop()!
      const from = performance.now()
      const status = await caller.post(path, JSON.stringify(wrap(makeInput(x))))
      if (status !== 202 && status !== 201) throw new Error(`answered ${status}`)
      if (isMeasured) took.push(performance.now() - from)
      free.push(caller)
    })
    for (const caller of callers) caller.close()
    return { rate, p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
  },
}
