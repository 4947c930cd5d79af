/**
 * The one place that reads this machine's clock. Everything that decides (due, dead, expired) asks the database's
 * clock instead; what is read here only paces loops, measures spans and stamps what a worker saw with its own eyes.
 */

/** Milliseconds since 1970, this machine's opinion. */
export const nowMs = (): number => Date.now()

/** Milliseconds that only ever grow: for spans. */
export const monotonicMs = (): number => performance.now()

/** Waits `ms` milliseconds, or less when `signal` aborts (which resolves, never throws). */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
