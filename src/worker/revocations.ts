/**
 * What this worker knows of revocations: the rows of rowbeat.revocations as they were at its last look. It looks when it is
 * told that there is a new one (NOTIFY, some milliseconds after the commit), when its heartbeat says that there are any (each
 * second, so a lost notification costs a second), and before its first claim. While nothing is revoked it asks nothing.
 *
 * A failed look is told and forgotten: the next heartbeat asks for another.
 */
import type { Queryable } from '../db/handle.ts'
import { readRevocations, settleRevocations, type Revocation } from '../db/statements/revocations.ts'
import type { RunEvents } from './events.ts'
import type { ClaimedJob } from './job.ts'

export interface Revocations {
  /** The revocation that stands against a claimed run. */
  of(job: ClaimedJob): Revocation | undefined
  /** There may be new ones. */
  look(): Promise<void>
  /** What a heartbeat found: while there are any, those of runs that no worker has are settled. */
  beat(some: boolean): void
  close(): void
}

/** `onSeen` is called for all that stand at each look, so it must not mind being told again. */
export function createRevocations(db: Queryable, events: RunEvents, onSeen: () => void): Revocations {
  let known: ReadonlyMap<string, Revocation> = new Map()
  let looking: Promise<void> | null = null
  let wanted: 'nothing' | 'look' | 'settle' = 'nothing'
  let closed = false

  const lookUntilSeen = async (): Promise<void> => {
    while (wanted !== 'nothing' && !closed) {
      const settles = wanted === 'settle'
      wanted = 'nothing'
      try {
        const rows = await readRevocations(db)
        known = new Map(rows.map((row) => [row.run, row]))
        if (rows.length > 0) onSeen()
        if (rows.length > 0 && settles) await settleRevocations(db)
      } catch (error) {
        if (!closed) events.emit('worker:trouble', { what: 'reading revocations', error })
      }
    }
    looking = null
  }
  const want = (what: 'look' | 'settle'): Promise<void> => {
    if (wanted !== 'settle') wanted = what
    return (looking ??= lookUntilSeen())
  }
  return {
    of(job) {
      if (known.size === 0) return undefined
      const revocation = known.get(job.key)
      return revocation && Date.parse(job.created_at) <= revocation.atMs ? revocation : undefined
    },
    look: () => want('look'),
    beat(some) {
      if (some) void want('settle')
      else if (known.size > 0) void want('look')
    },
    close() {
      closed = true
    },
  }
}
