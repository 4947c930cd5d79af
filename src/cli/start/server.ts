/**
 * The PostgreSQL of `rowbeat start`: the one of DATABASE_URL, or the embedded one, which is started again when it ends by
 * itself (somebody killed it, it ran out of memory): the same data, the same port, so everybody reconnects.
 */
import { sleep } from '../../clock.ts'
import type { Config } from '../../config.ts'
import type { EmbeddedPostgres } from '../../embedded/postgres.ts'
import type { Logger } from '../../log.ts'

export interface Server {
  readonly url: string
  /** For the block that tells where everything is. */
  readonly words: string
  stop(how: 'fast' | 'immediate'): Promise<void>
}

const AGAIN_MS = 500
const AGAIN_MAX_MS = 10_000
/** A fast stop takes milliseconds; one that takes longer is not worth waiting for, the next start recovers. */
const PATIENCE_MS = 1200

export async function startServer(config: Config, log: Logger): Promise<Server> {
  const { databaseUrl: url, dataDir } = config
  if (url) return { url, words: describe(url), stop: async () => {} }
  const { startPostgres } = await import('../../embedded/postgres.ts')
  const stopping = new AbortController()
  let postgres: EmbeddedPostgres = await startPostgres({ dataDir, log })

  const keep = async (): Promise<void> => {
    for (let delay = AGAIN_MS; ;) {
      const { expected, code, signal, lastWords } = await postgres.exited
      if (expected || stopping.signal.aborted) return
      log.error({ code, signal, lastWords }, 'PostgreSQL ended and is started again')
      for (;;) {
        await sleep(delay, stopping.signal)
        if (stopping.signal.aborted) return
        try {
          postgres = await startPostgres({ dataDir, port: postgres.port, log })
          break
        } catch (err) {
          delay = Math.min(delay * 2, AGAIN_MAX_MS)
          log.error({ err }, 'PostgreSQL could not be started; trying again')
        }
      }
      delay = AGAIN_MS
    }
  }
  const kept = keep()

  return {
    url: postgres.url,
    words: `PostgreSQL of its own, port ${postgres.port}, data in ${dataDir}`,
    async stop(how) {
      stopping.abort()
      const stopped = postgres.stop(how)
      const isLate = await Promise.race([stopped.then(() => false), sleep(PATIENCE_MS).then(() => true)])
      if (isLate) await postgres.stop('immediate')
      await kept
    },
  }
}

function describe(text: string): string {
  const { hostname, port, pathname } = new URL(text)
  return `${hostname || 'local socket'}${port ? `:${port}` : ''}${pathname}`
}
