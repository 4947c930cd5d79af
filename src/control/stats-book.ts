/**
 * What finished in a period of minutes, slice by slice. A slice that is over does not change any more, so it is counted once and kept;
 * a reading counts the last two and what is new. The first reading counts all of it, a part at a time.
 */
import type { Queryable } from '../db/handle.ts'
import { countFinished, type Count, type StatsKey } from '../db/statements/stats.ts'

export interface Slices {
  /** Seconds since 1970 of the first and the last slice, and between two. */
  first: number
  last: number
  step: number
  counts: Count[]
}

export type ReadSlices = (by: StatsKey, period: number, end: number) => Promise<Slices>

/** Slices of a period, about; and how many are counted at once. */
const SLICES = 60
const PART = 12
const STEPS = [1, 2, 5, 10]
const BOOKS_MAX = 12

/** One reading of a period at a time: whoever asks is made to wait by memo.ts. */
export function createStatsBook(db: Queryable): ReadSlices {
  const books = new Map<string, Map<number, Count[]>>()
  return async (by, period, end) => {
    const step = STEPS.find((size) => size * SLICES >= period) ?? STEPS.at(-1)!
    const [first, last] = [end - period, end].map((at) => Math.floor(at / step) * step) as [number, number]
    const name = `${by} ${period}`
    const book = books.get(name) ?? new Map<number, Count[]>()
    if (books.size >= BOOKS_MAX && !books.has(name)) books.delete(books.keys().next().value!)
    books.set(name, book)
    for (const at of book.keys()) if (at < first || at >= last - step) book.delete(at)
    for (let since = first; since <= last;) {
      if (book.has(since)) {
        since += step
        continue
      }
      const until = since + PART * step > last ? null : since + PART * step
      const counts = Map.groupBy(await countFinished(db, by, { since, until, step }), ({ at }) => at)
      const over = until ?? last + step
      for (; since < over; since += step) book.set(since, counts.get(since) ?? [])
    }
    return { first, last, step, counts: [...book.values()].flat() }
  }
}
