/**
 * 50,000 requests made from the API's own description (test/api/fuzz): allowed, with one thing wrong, and meant to harm. In the
 * line this ends with, faults are requests that were not valid, acked those that were accepted, unexpected what was answered
 * other than the description says.
 */
import { fuzz as fuzzApi } from '../api/fuzz/fuzz.ts'
import { serve } from '../api/world.ts'
import { emptyTally, type Scenario } from './scenario.ts'

/** After the first tenth the heap may grow by so much: what is kept on purpose (previews, prepared statements) is less. */
const HEAP_GROWTH_MAX = 24 * 1_048_576

export const fuzz: Scenario = {
  says: 'requests made from the OpenAPI document, valid, nearly valid and hostile: no 5xx, nothing it does not tell, heap flat',
  count: 50_000,
  async run({ count, random, teardown, log }) {
    const world = await serve({ teardown } as Parameters<typeof serve>[0])
    const result = await fuzzApi(world, count, Math.floor(random() * 2 ** 31), log)
    const { sent, accepted, byStatus, faults, neverAccepted, heapGrowthBytes, ms } = result
    for (const fault of faults.slice(0, 20)) log(fault)
    log(`sent ${JSON.stringify(sent)} accepted ${JSON.stringify(accepted)} ${JSON.stringify(byStatus)}`)
    log(`never accepted: ${neverAccepted.join(', ') || 'none'}`)
    log(
      `heap ${(heapGrowthBytes / 1_048_576).toFixed(1)} MiB more, ${Math.round((count * 1000) / ms)} requests a second`,
    )
    const isFlat = heapGrowthBytes <= HEAP_GROWTH_MAX
    return {
      ...emptyTally(),
      faults: sent.nearly + sent.hostile,
      attempts: count,
      acked: accepted.valid + accepted.nearly + accepted.hostile,
      ok: count - faults.length,
      unexpected: faults.length + (isFlat ? 0 : 1),
    }
  },
}
