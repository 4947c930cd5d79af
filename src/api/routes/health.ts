/**
 * /healthz: this process runs. It never asks the database, or a database that is down would have every
 * process killed. /readyz: send requests here. The database answers, may be written to, and has the
 * migrations of this release; one of a newer release is fine, since migrations are compatible with the
 * release before.
 */
import type { FastifyInstance } from 'fastify'
import { monotonicMs, sleep } from '../../clock.ts'
import type { Sql } from '../../db/connect.ts'
import { toQueryable, type DatabaseHandle } from '../../db/handle.ts'
import { isMigrated } from '../../db/migrate.ts'
import { isReadOnly } from '../../db/statements/health.ts'
import { RequestError, StoreError } from '../../errors.ts'
import { keysOf, TEXT } from '../documents/document.ts'
import { endpoint } from '../endpoint.ts'

/** A server that answers later than this is not ready, whatever the answer. */
const ANSWER_MS = 2000
/** Migrations that are there do not go away. */
const MIGRATED_MS = 10_000

const HEALTHZ = endpoint(
  { auth: 'public' },
  {
    id: 'getHealth',
    tag: 'service',
    summary: 'Whether the process runs',
    answers: {
      200: {
        description: 'It does',
        schema: keysOf<{ status: string; version: string }>({ status: { const: 'ok' }, version: TEXT }),
      },
    },
  },
)
const READYZ = endpoint(
  { auth: 'public' },
  {
    id: 'getReadiness',
    tag: 'service',
    summary: 'Whether requests can be served',
    answers: {
      200: { description: 'They can', schema: keysOf<{ status: string }>({ status: { const: 'ready' } }) },
    },
    problems: ['RB_CLOSING', 'RB_SCHEMA_BEHIND'],
  },
)

export interface HealthOptions {
  db: DatabaseHandle
  version: string
  isClosing(): boolean
}

export function healthRoutes(app: FastifyInstance, { db, version, isClosing }: HealthOptions): void {
  const ready = createReadyCheck(db)

  app.get('/healthz', HEALTHZ, () => ({ status: 'ok', version }))
  app.get('/readyz', READYZ, async () => {
    if (isClosing()) throw new RequestError('RB_CLOSING', 'This process is closing: ask another.')
    await ready()
    return { status: 'ready' }
  })
}

/** Throws a StoreError that says why not; many who ask at once share one look. */
function createReadyCheck(db: DatabaseHandle): () => Promise<void> {
  let looking: Promise<void> | null = null
  let migratedUntil = 0

  const look = async (): Promise<void> => {
    if (await isReadOnly(toQueryable(db)))
      throw new StoreError(
        'RB_DB_UNREACHABLE',
        'The database is read-only: point DATABASE_URL at the primary.',
      )
    if (monotonicMs() < migratedUntil) return
    // isMigrated only sends queries, which every kind of handle takes.
    if (!(await isMigrated(db as unknown as Sql).catch(isAhead)))
      throw new StoreError(
        'RB_SCHEMA_BEHIND',
        'The database lacks migrations of this release: run `rowbeat migrate`.',
      )
    migratedUntil = monotonicMs() + MIGRATED_MS
  }
  const deadline = async (answered: AbortSignal): Promise<never> => {
    await sleep(ANSWER_MS, answered)
    throw new StoreError('RB_DB_UNREACHABLE', `The database did not answer within ${ANSWER_MS / 1000} s.`)
  }
  return async () => {
    const answered = new AbortController()
    looking ??= look().finally(() => (looking = null))
    await Promise.race([looking, deadline(answered.signal)]).finally(() => answered.abort())
  }
}

function isAhead(error: unknown): boolean {
  if ((error as { code?: string }).code === 'RB_SCHEMA_AHEAD') return true
  throw error
}
