/**
 * How a verb that changes something leaves its mark in the audit log. The rows are written by triggers (drizzle/0009), so that an
 * edit by SQL is logged like one by REST; what triggers cannot know is who asked. So a verb that writes does it in a
 * transaction that says so first:
 *
 *   await acting(rowbeat.db, caller, { action: 'queue.pause' }, ({ db }) => pauseQueue(db, name, reason, until))
 *
 * A verb whose change is in no audited table (a run that is revoked) writes its one row itself, with `note`. Log and change
 * commit together: there is no change without its row, and no row without its change. To enqueue is not logged: the run is the record.
 */
import { hostname, userInfo } from 'node:os'
import type { Caller } from '../auth/scopes.ts'
import { begin, toQueryable, type DatabaseHandle, type Queryable } from '../db/handle.ts'
import { setActor, writeAudit, type AuditNote } from '../db/statements/audit.ts'

export interface Acting {
  /** The transaction, for statements. */
  db: Queryable
  /** The same, for `rowbeat.in(tx)`. */
  tx: DatabaseHandle
  /** Writes the row of a change that no trigger sees. */
  note(note: AuditNote): Promise<void>
}

export interface Deed {
  /** Noun and verb, as in `schedule.pause`; without it the triggers say create, update or delete. */
  action?: string
  /** In the caller's words. */
  reason?: string | null
}

/** Runs `work` in a transaction whose rows in the audit log name this caller. */
export async function acting<T>(
  handle: DatabaseHandle,
  caller: Caller,
  deed: Deed,
  work: (inside: Acting) => Promise<T>,
): Promise<T> {
  return await begin(handle, async (tx) => {
    const db = toQueryable(tx)
    await setActor(db, describeActor(caller, deed))
    return await work({ db, tx, note: (note) => writeAudit(db, note) })
  })
}

function describeActor({ kind, id, name, origin }: Caller, { action, reason }: Deed): object {
  return {
    actor: kind === 'process' ? whoRuns() : name,
    kind,
    id,
    via: origin?.via ?? (kind === 'process' ? 'cli' : 'rest'),
    request_id: origin?.requestId,
    address: origin?.address,
    action,
    reason: reason ?? undefined,
  }
}

/** Of the command line: who is signed in at that machine. */
function whoRuns(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A user without a name, as containers have them.
    return `${process.getuid?.() ?? 'somebody'}@${hostname()}`
  }
}
