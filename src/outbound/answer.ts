/**
 * What an answer means for who called: whether another try may fare better, when, and how to tell of it in a line.
 */
import { nowMs } from '../clock.ts'
import type { Answer } from './call.ts'

const RETRY_AFTER_MAX_MS = 24 * 3_600_000
const EXCERPT = 500

/** It was not the request that was wrong. */
export function isPassing(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status)
}

/** Retry-After, seconds or a date, a day at most; null when it says nothing. */
export function retryAfterMs({ headers }: Pick<Answer, 'headers'>): number | null {
  const text = String(headers['retry-after'] ?? '').trim()
  const ms = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : text === ''
      ? Number.NaN
      : Date.parse(text) - nowMs()
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, ms)) : null
}

/** "503: try later", or "302, to https://…, and redirects are not followed". */
export function wordsOf({ status, headers, body }: Answer): string {
  if (status >= 300 && status < 400 && headers.location)
    return `${status}, to ${String(headers.location).slice(0, EXCERPT)}, and redirects are not followed`
  const said = excerptOf(body)
  return said === '' ? String(status) : `${status}: ${said}`
}

/** The beginning of a body as a line of text that any column takes. */
export function excerptOf(body: Buffer): string {
  return body
    .subarray(0, 4 * EXCERPT)
    .toString('utf8')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, EXCERPT)
    .toWellFormed()
}
