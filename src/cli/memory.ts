/**
 * The memory of processes that serve. Short-lived objects (of loading modules, then of many runs) make V8 grow its young
 * generation to 64 MB, which it never gives back. Told not to grow it, a worker stays where it began: 142 MB instead of
 * 185 after 50,000 runs, for 2-5 % more processor time. An API may grow once it is loaded, but not that far: its garbage lives
 * for the length of a request, and scavenging it once a megabyte would promote it; in 64 MB, what thousands of open streams
 * keep lies scattered among it.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** When what only starting needs is garbage. */
const SETTLED_MS = 1000

export function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Both halves of the young generation of a process that may let it grow. */
const YOUNG_MAX = 16 * 2 ** 20

/** One collection soon, about 30 ms, gives back some 10 MB of what loading left; then the young generation may grow somewhat. */
export function settleMemory({ mayGrow }: { mayGrow: boolean }): void {
  setTimeout(() => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as (how: object) => void
    setFlagsFromString('--no-expose-gc')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    if (mayGrow) growYoung()
  }, SETTLED_MS).unref()
}

/** V8 knows a largest size only from before it starts: so it may double until it is large enough. */
function growYoung(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
    if (young && young.space_size < YOUNG_MAX) return
    keepYoungSmall()
    observer.disconnect()
  })
  observer.observe({ entryTypes: ['gc'] })
}
