/**
 * A rate over all workers: three processes, and more runs waiting than may start. What counts is when handlers began,
 * as they wrote it down themselves: in any second, wherever it starts, never more than the rate and its burst; and in
 * all that time not fewer than the rate allows. Half way one process is killed: the others go on at the same pace.
 */
import { readLedger } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startCrew, startLoad } from './crew.ts'
import { emptyTally, type Scenario } from './scenario.ts'

const RATE = 50
const BURST = 5

export const rates: Scenario = {
  says: `a rate of ${RATE}/s over three workers for --count seconds, one of them killed: +-2 %, never above rate + burst in any second`,
  count: 30,
  async run({ world: { url, sql }, count, teardown, log }) {
    const crew = await startCrew({ teardown }, url, 3)
    // A setting, not a value of the code: a worker that starts writes those anew.
    await sql`select rowbeat.control('rate_limit', ${sql.json({ task: 'test.scripted', rate: `${RATE}/s`, burst: BURST })})`
    const load = startLoad({ teardown }, url, sql)
    await load.add(Array.from({ length: RATE * (count + 20) }, () => ({})))
    const starts = (): number[] => readLedger(load.ledger).map(({ at }) => at)
    const first = await until('the first run starts', () => starts().at(0))
    await until('half of the time is over', () => Date.now() - first > count * 500, { timeout: count * 1000 })
    await crew.replace(crew.members[0]!)
    await until('the time is over', () => Date.now() - first > count * 1000, { timeout: count * 2000 })
    const begun = readLedger(load.ledger)
      .filter(({ what, at }) => what === 'start' && at - first < count * 1000)
      .map(({ at }) => at)
      .sort((a, b) => a - b)
    const most = busiestSecond(begun)
    const expected = RATE * count
    log(`${begun.length} of ${expected} began in ${count} s; ${most} in the busiest second`)
    const isLow = begun.length < expected * 0.98
    const isHigh = begun.length > expected * 1.02 || most > RATE + BURST
    return {
      ...emptyTally(),
      faults: 1,
      attempts: expected,
      ok: begun.length,
      lost: isLow ? 1 : 0,
      unexpected: isHigh ? 1 : 0,
    }
  },
}

/** Over every window of a second that begins with a start. */
export function busiestSecond(at: readonly number[]): number {
  let most = 0
  for (let low = 0, high = 0; low < at.length; low++) {
    while (high < at.length && at[high]! - at[low]! < 1000) high++
    most = Math.max(most, high - low)
  }
  return most
}
