/**
 * Names for completion, one a line. Who pressed Tab waits for it, and wants no words: what cannot be had at once is nothing.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { sleep } from '../../clock.ts'
import { createQueueControl } from '../../control/queues.ts'
import { createWorkerControl } from '../../control/workers.ts'
import { toQueryable } from '../../db/handle.ts'
import { listNamesOf } from '../../db/statements/diagnosis.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import type { NAMED } from './tree.ts'

type Named = (typeof NAMED)[number]

const PATIENCE_MS = 1000

export async function listNames(kind: Named, flags: Flags): Promise<string[]> {
  try {
    const { config } = await readSettings(flags)
    const asked = withRowbeat(config, (rowbeat) => ask(kind, rowbeat))
    asked.catch(() => {})
    return await Promise.race([asked, sleep(PATIENCE_MS).then(() => [])])
  } catch {
    return []
  }
}

async function ask(kind: Named, rowbeat: Rowbeat): Promise<string[]> {
  if (kind === 'queues') return (await createQueueControl(rowbeat).list(PROCESS)).map(({ name }) => name)
  const db = toQueryable(rowbeat.db)
  if (kind === 'workers') return (await createWorkerControl(db).list(PROCESS)).map(({ name }) => name)
  return await listNamesOf(db, kind)
}
