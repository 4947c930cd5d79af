/**
 * One look at workers in Celery's words. Most of it is known from rows, so workers that are too busy to answer are in
 * it too; only a ping is a question, and tells who really answers.
 */
import type { Caller } from '../auth/scopes.ts'
import { INSPECTIONS, type CommandControl, type Inspected } from './commands.ts'

/** Everything that can be looked at. */
export const ASPECTS: readonly string[] = [...INSPECTIONS, 'ping'].toSorted()

export interface Inspection {
  what: string
  /** Names; null is all. */
  workers: readonly string[] | null
  /** How long a ping is waited for. */
  timeoutMs: number
}

/** An entry per worker; one with worker null for what is the store's. Throws ControlError. */
export async function inspect(
  control: CommandControl,
  caller: Caller,
  { what, workers, timeoutMs }: Inspection,
): Promise<Inspected[]> {
  if (what !== 'ping') return await control.inspect(caller, what, workers)
  const { replies } = await control.control(caller, { command: 'ping', workers, timeoutMs })
  return replies.map(({ worker, reply }) => ({ worker, reply }))
}
