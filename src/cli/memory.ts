/**
 * The memory of processes that serve. Short-lived objects (of loading modules, then of many runs) make V8 grow its young
 * generation to 64 MB, which it never gives back. Told not to grow it, a worker stays where it began: 142 MB instead of
 * 185 after 50,000 runs, for 2-5 % more processor time. An API may grow again once it is loaded: its garbage lives for
 * the length of a request, and scavenging it once a megabyte would promote it.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** When what only starting needs is garbage. */
const SETTLED_MS = 1000

export function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** One collection soon, about 30 ms, gives back some 10 MB of what loading left; then the young generation may grow. */
export function settleMemory({ mayGrow }: { mayGrow: boolean }): void {
  setTimeout(() => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as (how: object) => void
    setFlagsFromString('--no-expose-gc')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    if (mayGrow) setFlagsFromString('--semi-space-growth-factor=2')
  }, SETTLED_MS).unref()
}
