/** Waiting in tests: never a sleep, always for something, with a deadline and words for what did not come. */
import { setTimeout as pause } from 'node:timers/promises'

export interface Patience {
  /** Milliseconds; default 10,000. */
  timeout?: number
  /** Milliseconds between looks; default 20. */
  every?: number
}

type Awaited_<T> = Exclude<T, false | null | undefined | 0 | ''>

/**
 * Asks `look` until it answers something true, and returns that. An error it throws counts as "not yet"; when the
 * deadline passes, the error says what was waited for and how the last look ended.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeout = 10_000, every = 20 }: Patience = {},
): Promise<Awaited_<T>> {
  const deadline = performance.now() + timeout
  for (;;) {
    const seen = await settle(look)
    if (seen.value) return seen.value as Awaited_<T>
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeout} ms in vain until ${what}; last look: ${seen.words}`, {
        cause: seen.error,
      })
    }
    await pause(every)
  }
}

async function settle<T>(look: () => T | Promise<T>): Promise<{ value?: T; error?: unknown; words: string }> {
  try {
    const value = await look()
    return { value, words: JSON.stringify(value) ?? String(value) }
  } catch (error) {
    return { error, words: String(error) }
  }
}

/** The value of `promise`, or an error that names what did not come in time. */
export async function within<T>(what: string, promise: Promise<T>, timeout = 10_000): Promise<T> {
  const cancel = new AbortController()
  const late = pause(timeout, undefined, { signal: cancel.signal }).then(() => {
    throw new Error(`waited ${timeout} ms in vain for ${what}`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    cancel.abort()
    late.catch(() => {})
  }
}
