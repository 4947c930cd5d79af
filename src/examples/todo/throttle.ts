/**
 * Throttling as Django REST framework does it: of each asker the instants of the requests that were let
 * through are kept, and the next one is, if fewer than the rate lie within the period. A request that is
 * refused does not count. Kept in Postgres, because Django's default, the memory of one process, lets through
 * twice as much on two.
 *
 * One statement decides: the row of the asker is locked by the upsert, so requests that come at the same
 * moment, on any server, are counted one after another.
 */
import { sql } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { ConfigError } from '../../index.ts'
import { ApiRefusal } from '../web/api-refusal.ts'

/** null: not throttled. */
export type Rate = { requests: number; seconds: number } | null

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `10/hour`, `5/min`, `none`; of the period the first letter counts. Throws ConfigError that names the variable. */
export function parseRate(text: string, variable: string): Rate {
  if (text.trim().toLowerCase() === 'none') return null
  const match = /^\s*(\d{1,6})\s*\/\s*([smhd])[a-z]*\s*$/i.exec(text)
  if (match) return { requests: Number(match[1]), seconds: SECONDS[match[2]!.toLowerCase()]! }
  throw new ConfigError(
    `${variable} is "${text}": give a number of requests per second, minute, hour or day, as in "10/hour", or none.`,
  )
}

/** Counts a request of `ident`, or throws ApiRefusal 429 with Retry-After. */
export async function throttle(
  db: PostgresJsDatabase,
  scope: string,
  ident: string,
  rate: Rate,
): Promise<void> {
  if (rate === null) return
  const { requests, seconds } = rate
  const [row] = await db.execute<{ admitted: boolean; wait: number }>(sql`
    insert into examples.throttles as kept (scope, ident, hits, admitted)
    values (${scope}, ${ident}, case when ${requests}::int > 0 then array[now()] else '{}' end, ${requests}::int > 0)
    on conflict (scope, ident) do update set (hits, admitted) = (
      select coalesce(array_agg(hit order by hit), '{}')
               || case when count(*) < ${requests}::int then array[now()] else '{}'::timestamptz[] end,
             count(*) < ${requests}::int
      from unnest(kept.hits) hit where hit > now() - ${seconds}::int * interval '1 second')
    returning admitted, coalesce(
      extract(epoch from hits[greatest(cardinality(hits) - ${requests}::int + 1, 1)] - now())::float8, 0) + ${seconds}::int as wait`)
  if (row!.admitted) return
  const wait = Math.max(1, Math.ceil(row!.wait))
  const detail = `Request was throttled. Expected available in ${wait} second${wait === 1 ? '' : 's'}.`
  throw new ApiRefusal(429, { detail }, { 'retry-after': String(wait) })
}

/** Forgets what was counted: who gives the right password has not been guessing. */
export async function forgive(db: PostgresJsDatabase, scope: string, ident: string): Promise<void> {
  await db.execute(sql`delete from examples.throttles where scope = ${scope} and ident = ${ident}`)
}
