/**
 * Instants as we take them: RFC 3339, with a date that exists, a time and an offset. `Date` alone would take "3" and
 * turn 30 February into 2 March; PostgreSQL alone would take "tomorrow", and a time without an offset as of its own zone.
 */
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)t([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d{1,9})?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i

/** Milliseconds since 1970 of text such as `2026-01-31T12:00:00Z` (what is finer than a millisecond is cut), or null. */
export function parseInstant(value: unknown): number | null {
  const match = typeof value === 'string' ? RFC3339.exec(value) : null
  if (!match) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(Date.UTC(2000, month - 1, day))
  date.setUTCFullYear(year, month - 1, day)
  if (year === 0 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return Date.parse(match[0].toUpperCase())
}

/** True for text such as `2026-01-31T12:00:00Z` or `2026-01-31T14:00:00.250+02:00`. */
export function isInstant(value: unknown): value is string {
  return parseInstant(value) !== null
}
