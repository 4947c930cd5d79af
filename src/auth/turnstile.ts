/**
 * Lets so many in at once and a few more wait: for work that takes a processor and 32 MB for a quarter of a second, as comparing a password does.
 * Who comes when the line is full is sent away at once.
 */
import { AccessError } from '../errors.ts'

export type Turnstile = <T>(work: () => Promise<T>) => Promise<T>

const COME_AGAIN_MS = 2000

/** The result throws AccessError RB_LOGIN_BLOCKED when the line is full. */
export function createTurnstile(inside: number, waitingMax: number): Turnstile {
  let free = inside
  const line: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else if (line.length >= waitingMax)
      throw new AccessError(
        'RB_LOGIN_BLOCKED',
        'Many sign in at this moment: try again in a few seconds.',
        [],
        {
          retryAfterMs: COME_AGAIN_MS,
        },
      )
    else await new Promise<void>((resolve) => line.push(resolve))
    try {
      return await work()
    } finally {
      const next = line.shift()
      if (next) next()
      else free++
    }
  }
}
