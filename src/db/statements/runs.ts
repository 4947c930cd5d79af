/**
 * Statements that read runs, forget them and enqueue them. Documents come as JSON text, because clients parse
 * timestamps and JSON each in their own way (and drizzle changes how a postgres.js client does).
 */
import type { Queryable } from '../handle.ts'

/** The run's document as JSON text; null when the id is unknown. By index in each of the three places. */
export async function readRun(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ run: string }>(
    `/* read_run */ select row_to_json(r)::text as run from rowbeat.run($1::uuid) r`,
    [id],
  )
  return row?.run ?? null
}

/** Deletes a finished run with what belongs to it; false when no finished run has this id. */
export async function forgetRun(db: Queryable, id: string): Promise<boolean> {
  const rows = await db.query(
    `/* forget_run */
with gone as (delete from rowbeat.results where id = $1::uuid returning id),
  a as (delete from rowbeat.attempts where run_id in (select id from gone)),
  l as (delete from rowbeat.logs where run_id in (select id from gone)),
  p as (delete from rowbeat.progress where run_id in (select id from gone))
select id from gone`,
    [id],
  )
  return rows.length > 0
}

/** What enqueue answers for each body, in order. */
export interface Enqueued {
  id: string
  created: boolean
}

/** Enqueues bodies of POST /v1/runs (JSON text of their array): all or none, one round trip, in the handle's transaction. */
export async function enqueueRuns(db: Queryable, bodies: string): Promise<Enqueued[]> {
  return await db.query<{ id: string; created: boolean }>(
    `/* enqueue_runs */ select id::text as id, created from rowbeat.enqueue_many_v2($1::text::jsonb)`,
    [bodies],
  )
}

/** Enqueues runs that differ only in their input: `fields` is the body of each without it. Cheaper than `enqueueRuns` by half. */
export async function enqueueSame(db: Queryable, fields: string, inputs: string): Promise<Enqueued[]> {
  const rows = await db.query<{ id: string }>(
    `/* enqueue_same */ select id::text as id from rowbeat.enqueue_same_v1($1::text::jsonb, $2::text::jsonb) id`,
    [fields, inputs],
  )
  return rows.map(({ id }) => ({ id, created: true }))
}

/** What a telling enqueue answers for each body, in order. */
export interface EnqueuedTold extends Enqueued {
  /** The document of the run as JSON text; null for one that stood already. */
  run: string | null
}

/** `enqueueRuns`, telling the runs that it created. */
export async function enqueueRunsTold(db: Queryable, bodies: string): Promise<EnqueuedTold[]> {
  return await db.query<{ id: string; created: boolean; run: string | null }>(
    `/* enqueue_runs_told */ select id::text as id, created, run from rowbeat.enqueue_many_told_v1($1::text::jsonb)`,
    [bodies],
  )
}

/** What a telling enqueue of runs that differ only in their input answers for all of them. */
export interface SameTold {
  ids: string[]
  /** Unix time of the first in microseconds; each was asked for one later than the one before. */
  askedUs: number
  /** The document of the first as JSON text, with null for its input. */
  run: string
}

/** `enqueueSame`, telling the runs. */
export async function enqueueSameTold(db: Queryable, fields: string, inputs: string): Promise<SameTold> {
  const [row] = await db.query<{ ids: string; asked: string; run: string }>(
    `/* enqueue_same_told */ select array_to_string(ids, ' ') as ids, (extract(epoch from asked_at) * 1e6)::bigint::text as asked, run
from rowbeat.enqueue_same_told_v1($1::text::jsonb, $2::text::jsonb)`,
    [fields, inputs],
  )
  return { ids: row!.ids.split(' '), askedUs: Number(row!.asked), run: row!.run }
}
