/**
 * Sizes of memory as people write them: "300MB", "1.5 GB". A unit is 1,024 of the one below it, as in PostgreSQL's own
 * settings, and has to be said: a bare number is KiB to those who come from Celery and bytes to everybody else.
 */
const UNITS: Readonly<Record<string, number>> = {
  kb: 2 ** 10,
  mb: 2 ** 20,
  gb: 2 ** 30,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/** Bytes, or null when it is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?([kmg]i?b)$/i.exec(text.trim())
  return match ? Math.round(Number(match[1]) * UNITS[match[2]!.toLowerCase()]!) : null
}
