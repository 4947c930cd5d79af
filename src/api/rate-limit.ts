/**
 * How many requests one caller may send in a while. Counted in this process: it is there to keep one client's mistake from filling the
 * server, and several API processes let through as many times more. (What guards passwords is counted in the database: control/sessions.ts.)
 *
 * A window begins with a caller's first request and ends after the time of its policy. What is left is told in the headers RateLimit and
 * RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers); who has nothing left is answered 429 with Retry-After. A kind of caller that has no
 * policy costs nothing and is told nothing. Requests that come without a live credential are counted by network address.
 */
import type { FastifyReply } from 'fastify'
import { monotonicMs } from '../clock.ts'
import type { RateLimits } from '../config.ts'
import { AccessError } from '../errors.ts'

export type Limited = keyof RateLimits

/** Takes one request of this subject. Throws AccessError RB_RATE_LIMITED. */
export type Spend = (kind: Limited, subject: string, reply: FastifyReply) => void

interface Window {
  endMs: number
  left: number
}

/** Callers that are remembered; the one that was seen first is forgotten first. */
const SUBJECTS_MAX = 20_000

export function createRateLimit(limits: RateLimits): Spend {
  const windows = new Map<string, Window>()
  return (kind, subject, reply) => {
    const policy = limits[kind]
    if (policy === null) return
    const now = monotonicMs()
    const name = `${kind} ${subject}`
    let window = windows.get(name)
    if (!window || window.endMs <= now) {
      windows.delete(name)
      if (windows.size >= SUBJECTS_MAX) windows.delete(windows.keys().next().value!)
      window = { endMs: now + policy.perMs, left: policy.count }
      windows.set(name, window)
    }
    const isOver = window.left <= 0
    if (!isOver) window.left--
    const seconds = Math.ceil((window.endMs - now) / 1000)
    reply.header('ratelimit-policy', `"${kind}";q=${policy.count};w=${Math.ceil(policy.perMs / 1000)}`)
    reply.header('ratelimit', `"${kind}";r=${window.left};t=${seconds}`)
    if (isOver)
      throw new AccessError(
        'RB_RATE_LIMITED',
        `More than ${policy.count} requests came in ${policy.perMs / 1000} s: come again in ${seconds} s.`,
        [],
        { retryAfterMs: window.endMs - now },
      )
  }
}
