/**
 * Operations: what is done to all runs that match a filter. Anybody may begin one; a worker's dispatcher works it off, a
 * step a call (drizzle/0006 says how a step is taken, and why a crash neither loses nor repeats one).
 */
import type { Queryable } from '../handle.ts'

const instant = (column: string): string =>
  `to_char(o.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** JSON text of the operation `o`. A total is an estimate, so that only what is done is all of it. */
const OPERATION_JSON = `json_build_object('id', o.id, 'kind', o.kind, 'filter', o.filter - 'where', 'options', o.options, 'state', o.state,
  'total', o.total, 'done', o.done, 'skipped', o.skipped, 'failed', o.failed,
  'percent', case when o.state = 'done' then 100 when o.total > 0 then least(99.9, round(100.0 * (o.done + o.skipped + o.failed) / o.total, 1)) end,
  'error', o.error, 'created_by', o.created_by, 'created_at', ${instant('created_at')}, 'started_at', ${instant('started_at')},
  'finished_at', ${instant('finished_at')})::text`

/** Begins one in the handle's transaction and answers its id. `filter` and `options` are JSON text; fails with 22023, naming the field. */
export async function startOperation(
  db: Queryable,
  kind: string,
  filter: string,
  options: string,
  by: string | null,
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* start_operation */ select rowbeat.start_operation_v1($1::text, $2::text::jsonb, $3::text::jsonb, $4::text)::text as id`,
    [kind, filter, options, by],
  )
  return row!.id
}

/** Its state after; null when the id is unknown. */
export async function stopOperation(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ state: string | null }>(
    `/* stop_operation */ select rowbeat.stop_operation_v1($1::uuid) as state`,
    [id],
  )
  return row!.state
}

/** One step of the operation that is due; true when there is more to do at once. */
export async function workOperation(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ more: boolean }>(
    `/* work_operation */ select rowbeat.work_operation_v1() as more`,
  )
  return row!.more
}

/** The document as JSON text; null when the id is unknown. */
export async function readOperation(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ operation: string }>(
    `/* read_operation */ select ${OPERATION_JSON} as operation from rowbeat.operations o where o.id = $1::uuid`,
    [id],
  )
  return row?.operation ?? null
}

export interface OperationQuery {
  kind?: string
  state?: string
  /** Only operations with a lower id. */
  before?: string
  limit: number
}

/** Documents as JSON text, latest first; there are as many rows as were begun in 30 days. */
export async function listOperations(db: Queryable, query: OperationQuery): Promise<string[]> {
  const rows = await db.query<{ operation: string }>(
    `/* list_operations */ select ${OPERATION_JSON} as operation from rowbeat.operations o
where ($1::uuid is null or o.id < $1::uuid) and o.kind = coalesce($2::text, o.kind) and o.state = coalesce($3::text, o.state) order by o.id desc limit $4::integer`,
    [query.before ?? null, query.kind ?? null, query.state ?? null, query.limit],
  )
  return rows.map((row) => row.operation)
}
