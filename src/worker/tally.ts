/**
 * What a worker has got through since it started, and when that is enough: a process that has done so many runs, or has
 * grown so large, is told once that it is spent. Whoever keeps the process puts another in its place.
 */
import { monotonicMs } from '../clock.ts'
import type { RunEvents } from './events.ts'

/** Reading the size of a process takes some microseconds, and runs may take less. */
const MEASURE_MS = 250

export interface TallyOptions {
  events: RunEvents
  /** Runs, or null. */
  maxRuns: number | null
  /** Bytes of memory that the process may take after a run, or null. */
  maxMemory: number | null
}

export interface Tally {
  counts(): Record<'succeeded' | 'failed' | 'retried' | 'revoked', number>
}

export function createTally({ events, maxRuns, maxMemory }: TallyOptions): Tally {
  const counts = { succeeded: 0, failed: 0, retried: 0, revoked: 0 }
  let runs = 0
  let measuredAt = -Infinity
  let isSpent = false

  const isLarge = (): boolean => {
    if (maxMemory === null || monotonicMs() - measuredAt < MEASURE_MS) return false
    measuredAt = monotonicMs()
    return process.memoryUsage.rss() > maxMemory
  }
  events.on('run:finished', ({ state, reason }) => {
    runs++
    if (state === 'SUCCESS') counts.succeeded++
    else if (state === 'FAILURE') counts.failed++
    else if (state === 'REVOKED') counts.revoked++
    else if (reason === 'retry') counts.retried++
    if (isSpent || (maxRuns === null && maxMemory === null)) return
    const why = maxRuns !== null && runs >= maxRuns ? 'runs' : isLarge() ? 'memory' : null
    if (why === null) return
    isSpent = true
    events.emit('worker:spent', { why, runs, rss: process.memoryUsage.rss() })
  })
  return { counts: () => ({ ...counts }) }
}
