/**
 * One instant, once. It is kept as RFC 3339 in UTC with milliseconds, whatever offset it was given with, so that two
 * spellings of one instant are one schedule.
 */
import { instant } from '../check.ts'
import type { Fault } from '../errors.ts'
import { parseInstant } from '../instant.ts'
import { FIRST_MS, LAST_MS, type Cadence } from './cadence.ts'

export interface ClockedSpec {
  kind: 'clocked'
  /** RFC 3339, UTC, with milliseconds. */
  at: string
}

export function readClocked(
  { at }: Readonly<Record<string, unknown>>,
  pointer: string,
): { spec: ClockedSpec } | { faults: Fault[] } {
  const text = momentText(at)
  return text === null
    ? { faults: [{ pointer: `${pointer}/at`, detail: instant('')! }] }
    : { spec: { kind: 'clocked', at: text } }
}

export function describeClocked({ at }: ClockedSpec): string {
  return `once at ${at}`
}

export function createClocked({ at }: ClockedSpec): Cadence {
  const atMs = Date.parse(at)
  return {
    next: (afterMs) => (afterMs < atMs ? atMs : null),
    previous: (beforeMs) => (atMs < beforeMs ? atMs : null),
    count: (fromMs, untilMs) => (fromMs <= atMs && atMs <= untilMs ? 1 : 0),
  }
}

/** An instant as it is kept, or null when the value is none, or one whose UTC year has not four digits. */
export function momentText(value: unknown): string | null {
  const ms = parseInstant(value)
  return ms === null || ms < FIRST_MS || ms > LAST_MS ? null : new Date(ms).toISOString()
}
