/**
 * What the database said of a key or a sign-in, remembered for less than a second, good or bad: a revoke counts within a second
 * everywhere, and a busy caller costs one look-up a second. What is asked at the same moment is looked up in one statement.
 * When the database is away nobody can be known, and that is an error of the store, never a refusal.
 */
import { monotonicMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'

const KEPT_MS = 800
const KEPT_MAX = 10_000

interface Waiting<Row> {
  promise: Promise<Row | null>
  resolve(row: Row | null): void
  reject(error: unknown): void
}

/** `find` answers the rows of these names; what it does not answer is unknown. The result throws StoreError. */
export function createRecall<Row>(
  find: (names: readonly string[]) => Promise<ReadonlyMap<string, Row>>,
): (name: string) => Promise<Row | null> {
  const kept = new Map<string, { row: Row | null; until: number }>()
  let asked = new Map<string, Waiting<Row>>()

  const lookUp = async (): Promise<void> => {
    const batch = asked
    asked = new Map()
    // The age of an answer counts from before the question, so that it is never older than it seems.
    const until = monotonicMs() + KEPT_MS
    try {
      const rows = await find([...batch.keys()])
      for (const [name, waiting] of batch) {
        const row = rows.get(name) ?? null
        if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!)
        kept.set(name, { row, until })
        waiting.resolve(row)
      }
    } catch (error) {
      for (const waiting of batch.values()) waiting.reject(explainDatabaseError(error))
    }
  }

  return (name) => {
    const known = kept.get(name)
    if (known && known.until > monotonicMs()) return Promise.resolve(known.row)
    kept.delete(name)
    const standing = asked.get(name)
    if (standing) return standing.promise
    if (asked.size === 0) setImmediate(() => void lookUp())
    const waiting = Promise.withResolvers<Row | null>()
    asked.set(name, waiting)
    return waiting.promise
  }
}
