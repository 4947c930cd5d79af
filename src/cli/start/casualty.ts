/**
 * A supervisor knows that a child is dead when nobody else can: others would wait for 10 s of silence. It says so in the
 * registry and sends the child's runs back itself, so that a run which kills its process does it three times within
 * seconds, and what ran beside it goes on elsewhere. If the database cannot be told, the silence tells it.
 */
import { hostname } from 'node:os'
import { sleep } from '../../clock.ts'
import type { Config } from '../../config.ts'
import { withConnection } from '../../db/connect.ts'
import { toQueryable } from '../../db/handle.ts'
import { declareDead, sweepDead } from '../../db/statements/recovery.ts'
import type { Logger } from '../../log.ts'
import type { Member } from './member.ts'

const TRIES = 3
const AGAIN_MS = 300
/** Nobody is unseen for so long but those who were declared dead. */
const NEVER_SECONDS = 1e9

/** Never throws. */
export async function reportCasualty(
  { pid, ready }: Member,
  url: string,
  { prepare, resultRetentionMs }: Config,
  log: Logger,
): Promise<void> {
  const { name } = (ready?.document ?? {}) as { name?: string }
  // One that was not ready has no runs; and a number alone may be another's, where containers share a hostname.
  if (!name || !pid) return
  for (let tries = 1; tries <= TRIES; tries++) {
    try {
      const swept = await withConnection({ url, role: 'supervisor', prepare }, async (sql) => {
        const db = toQueryable(sql)
        const found = await declareDead(db, { name, hostname: hostname(), pid })
        return found > 0 ? await sweepDead(db, NEVER_SECONDS, resultRetentionMs / 1000) : null
      })
      if (swept) log.warn(swept, 'a worker process died; its runs went back')
      return
    } catch (err) {
      log.warn({ err }, 'telling the database of a dead worker process failed')
      await sleep(AGAIN_MS)
    }
  }
}
