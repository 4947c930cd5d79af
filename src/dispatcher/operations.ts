/**
 * What the dispatcher does for operations (rowbeat.operations): a few steps each time it comes by, for as long as they
 * take no more than SLICE_MS, so that runs which are due meanwhile do not wait. It comes back at once while there is more
 * to do. Any number of workers may work: an operation is one worker's for the length of a step.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { workOperation } from '../db/statements/operations.ts'
import { expireParked } from '../db/statements/run-verbs.ts'

const SLICE_MS = 100
const EXPIRED = 1000

/** True when there is more to do at once. */
export async function workOperations(db: Queryable): Promise<boolean> {
  const deadline = monotonicMs() + SLICE_MS
  for (;;) {
    const more = await workOperation(db)
    if (!more || monotonicMs() >= deadline) return more
  }
}

/** Ends runs whose time is over while they are parked. True when there may be more. */
export async function expireWaiting(db: Queryable): Promise<boolean> {
  return (await expireParked(db, EXPIRED)) === EXPIRED
}
