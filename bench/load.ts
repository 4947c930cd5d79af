/**
 * The two ways to offer work. A closed loop keeps a fixed number of calls in flight, each waiting for its
 * acknowledgement before the next: it finds the highest rate. An open loop calls at fixed instants whatever
 * came of the calls before: it shows latency as a caller would see it, without hiding a stall.
 */
import { sleep } from './scenario.ts'

export interface ClosedLoop {
  inFlight: number
  warmUpMs: number
  durationMs: number
}

/** Acknowledged calls a second, warm-up left out. `call` gets a number of its own each time. */
export async function closedLoop(shape: ClosedLoop, call: (x: number) => Promise<unknown>): Promise<number> {
  let next = 0
  let acknowledged = 0
  let open = true
  const caller = async (): Promise<void> => {
    while (open) {
      await call(next++)
      acknowledged++
    }
  }
  const callers = Array.from({ length: shape.inFlight }, caller)
  const failed = Promise.all(callers).then(() => {})
  await Promise.race([sleep(shape.warmUpMs), failed])
  const from = { at: performance.now(), count: acknowledged }
  await Promise.race([sleep(shape.durationMs), failed])
  const count = acknowledged - from.count
  const seconds = (performance.now() - from.at) / 1000
  open = false
  await failed
  return count / seconds
}

/** Calls `perSecond` times a second, each a little off its instant so that no poller is met in step. */
export async function openLoop(perSecond: number, count: number, call: (x: number) => void): Promise<void> {
  const step = 1000 / perSecond
  const from = performance.now()
  for (let x = 0; x < count; x++) {
    const due = from + (x + Math.random() * 0.8) * step
    const ahead = due - performance.now()
    if (ahead > 0) await sleep(ahead)
    call(x)
  }
}

/** Waits until `done` says so; the deadline makes a lost job an error instead of a hang. */
export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
  everyMs = 5,
  deadlineMs = 180_000,
): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`gave up waiting until ${what}`)
    await sleep(everyMs)
  }
}

/** Enqueues `count` inputs from number `from` in chunks of 1000. */
export function chunks(from: number, count: number, size = 1000): { from: number; count: number }[] {
  const list = []
  for (let start = 0; start < count; start += size) {
    list.push({ from: from + start, count: Math.min(size, count - start) })
  }
  return list
}
