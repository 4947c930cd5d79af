/**
 * Enqueue that answers with the runs, for who tells them on (POST /v1/runs): as they were stored, without asking again.
 * Runs that differ only in their input come back as one document, and each is made from it here: an id, an input and an
 * instant are all that it has for itself.
 */
import type { Queryable } from '../db/handle.ts'
import { enqueueRunsTold, enqueueSameTold } from '../db/statements/runs.ts'
import { parseRun, type RunDocument } from '../results/run.ts'
import { send, type RunBody, type Sending } from './enqueue.ts'

/** What it answers for each body, in order. */
export interface Told {
  id: string
  created: boolean
  /** Null for one that stood already. */
  run: RunDocument | null
}

const TELLING: Sending<Told> = { any: tellAny, same: tellSame }

/** As `sendBodies`, with the document of each run that is new. */
export function sendBodiesTold(db: Queryable, bodies: readonly RunBody[]): Promise<Told[]> {
  return send(db, bodies, TELLING)
}

async function tellAny(db: Queryable, texts: string): Promise<Told[]> {
  const rows = await enqueueRunsTold(db, texts)
  return rows.map(({ id, created, run }) => ({ id, created, run: run === null ? null : parseRun(run) }))
}

async function tellSame(
  db: Queryable,
  fields: string,
  inputs: string,
  bodies: readonly RunBody[],
): Promise<Told[]> {
  const { ids, askedUs, run } = await enqueueSameTold(db, fields, inputs)
  const first = parseRun(run)
  const mayRunAtOnce = first.run_at === first.created_at
  return ids.map((id, index) => {
    const asked = new Date(Math.floor((askedUs + index) / 1000)).toISOString()
    const input: unknown = JSON.parse(bodies[index]!.input ?? '{}')
    const times = { created_at: asked, run_at: mayRunAtOnce ? asked : first.run_at }
    return { id, created: true, run: { ...first, ...times, id, input } }
  })
}
