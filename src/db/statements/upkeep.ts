/**
 * Statements of upkeep. DDL runs under a short lock_timeout set in its own function or transaction, so a busy table
 * makes upkeep wait for its next round, never a user.
 */
import type { Queryable } from '../handle.ts'

/** True for one process per interval: that one does the upkeep. */
export async function takeUpkeep(db: Queryable, everyMs: number): Promise<boolean> {
  const [row] = await db.query<{ taken: boolean }>(
    `/* take_upkeep */ select rowbeat.take_upkeep_v1($1::float8 * interval '1 millisecond') as taken`,
    [everyMs],
  )
  return row!.taken
}

/** Makes partitions from yesterday to `ahead` days from now, UTC. Returns how many were missing. */
export async function makeDays(db: Queryable, ahead: number): Promise<number> {
  const [row] = await db.query<{ made: string }>(
    `/* make_days */ select count(*) filter (where rowbeat.make_partition_v1((now() at time zone 'UTC')::date + n))::text as made from generate_series(-1, $1::integer) n`,
    [ahead],
  )
  return Number(row!.made)
}

/** Drops days before yesterday in which no row must live longer. Returns their names. */
export async function dropOldDays(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `/* drop_old_days */ select name from rowbeat.drop_expired_partitions_v1() name`,
  )
  return rows.map((row) => row.name)
}

/** Deletes results past their keep_until that sit among rows which must stay. */
export async function deleteExpired(db: Queryable, limit: number): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* delete_expired */
with gone as (
  delete from rowbeat.results where id = any (array(select id from rowbeat.results where keep_until < now() limit $1::integer)) returning id
), a as (delete from rowbeat.attempts where run_id in (select id from gone)),
  l as (delete from rowbeat.logs where run_id in (select id from gone)),
  p as (delete from rowbeat.progress where run_id in (select id from gone))
select count(*)::text as n from gone`,
    [limit],
  )
  return Number(row!.n)
}

/** Deletes firings that were due longer ago than that, found by the block ranges of due_at. */
export async function deleteFirings(db: Queryable, olderSeconds: number, limit: number): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* delete_firings */
with gone as (
  delete from rowbeat.firings where ctid = any (array(
    select ctid from rowbeat.firings where due_at < now() - $1::float8 * interval '1 second' limit $2::integer)) returning 1
) select count(*)::text as n from gone`,
    [olderSeconds, limit],
  )
  return Number(row!.n)
}

/** Ids of days that have no table any more sort before this one. */
const OLDEST_DAY = `(select rowbeat.uuid7_floor_v1(to_date(min(substr(c.relname, 9)), 'YYYYMMDD')::timestamp at time zone 'UTC')
  from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'rowbeat.results'::regclass and c.relname ~ '^results_\\d{8}$')`

/**
 * What belongs to runs that are nowhere any more, because their day was dropped, or their last words came after their end.
 * Looks at rows of such days only, by the primary key: to ask for every row whether its run is known takes 12 us each.
 */
export async function sweepLeftovers(db: Queryable, limit: number): Promise<void> {
  for (const table of ['attempts', 'logs', 'progress']) {
    await db.query(
      `/* sweep_${table} */ delete from rowbeat.${table} x where x.run_id = any (array(
         select run_id from rowbeat.${table} y where y.run_id < ${OLDEST_DAY} and not rowbeat.is_known_v1(y.run_id) limit $1::integer))`,
      [limit],
    )
  }
  await db.query(
    `/* sweep_unique_keys */ delete from rowbeat.unique_keys where hash = any (array(
       select hash from rowbeat.unique_keys k where not rowbeat.is_live_v1(k.run_id) and (k.until_at is null or k.until_at < now()) limit $1::integer for update skip locked))`,
    [limit],
  )
}

/**
 * Vacuums the hot tables once they hold as many dead rows as are worth it: autovacuum comes once a minute, and by then
 * an hour's worth of claims may be walking past them. Returns the tables vacuumed; one that is busy is left out.
 */
export async function vacuumHot(db: Queryable, deadRows: number): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `/* read_dead_rows */ select schemaname || '.' || relname as name from pg_stat_user_tables
     where n_dead_tup > $1::integer and (schemaname, relname) in (('rowbeat_queue', '_private_jobs'), ('rowbeat', 'parked'))`,
    [deadRows],
  )
  for (const { name } of rows) await db.query(`/* vacuum */ vacuum (skip_locked) ${name}`)
  return rows.map(({ name }) => name)
}
