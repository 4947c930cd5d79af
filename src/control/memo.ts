/**
 * Figures that many ask for at once, and often: who asks while they are being read waits for the same reading, and a reading
 * is given again for a while: the longer it took, the longer. So whatever the figures cost and whoever asks, reading them takes no
 * more than a twentieth of one connection's time, or another share.
 */
import { monotonicMs } from '../clock.ts'

const SHARE = 20
const FRESH_MS = 1000
const KEPT_MAX = 100

interface Reading<Value> {
  value: Promise<Value>
  /** Given again until then. */
  until: number
}

/** Answers what `read` answered for this key a moment ago, or reads it. What failed is not kept. One part in `share` of the time is spent reading. */
export function createMemo<Value>(
  share = SHARE,
): (key: string, read: () => Promise<Value>) => Promise<Value> {
  const kept = new Map<string, Reading<Value>>()
  return (key, read) => {
    const standing = kept.get(key)
    if (standing && standing.until > monotonicMs()) return standing.value
    const began = monotonicMs()
    const reading: Reading<Value> = { value: read(), until: Infinity }
    if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!)
    kept.set(key, reading)
    reading.value.then(
      () => {
        const took = monotonicMs() - began
        reading.until = monotonicMs() + Math.max(FRESH_MS, share * took)
      },
      () => {
        if (kept.get(key) === reading) kept.delete(key)
      },
    )
    return reading.value
  }
}
