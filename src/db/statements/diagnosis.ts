/**
 * What a look at a live set-up asks of PostgreSQL: the server and its settings, the rights of this role, the health of the hot
 * tables, who holds transactions open, which processes of ours live. All of it is read from catalogs and statistics, which
 * any role may read; where a role sees less of other people's sessions, the columns are null, and nothing fails.
 */
import type { Queryable } from '../handle.ts'

export interface ServerFacts {
  version: string
  database: string
  encoding: string
  user: string
  isSuperuser: boolean
  isStandby: boolean
  /** Milliseconds since 1970 by its clock. */
  nowMs: number
  sizeBytes: number
  settings: Record<string, string>
  connections: number
  /** Those that ask by a name of ours. */
  own: number
}

/** Settings that can hurt, or that a report should tell. */
const SETTINGS = [
  'autovacuum',
  'fsync',
  'full_page_writes',
  'idle_in_transaction_session_timeout',
  'max_connections',
  'max_wal_size',
  'server_version_num',
  'shared_buffers',
  'statement_timeout',
  'superuser_reserved_connections',
  'synchronous_commit',
  'track_counts',
  'transaction_read_only',
]

export async function readServerFacts(db: Queryable): Promise<ServerFacts> {
  const [row] = await db.query<{ facts: string }>(
    `/* read_server_facts */ select json_build_object('version', current_setting('server_version'), 'database', current_database(),
  'encoding', current_setting('server_encoding'), 'user', current_user, 'isSuperuser', (select r.rolsuper from pg_roles r where r.rolname = current_user),
  'isStandby', pg_is_in_recovery(), 'nowMs', extract(epoch from clock_timestamp())::float8 * 1000, 'sizeBytes', pg_database_size(current_database()),
  'settings', (select json_object_agg(s.name, current_setting(s.name)) from unnest('{${SETTINGS.join(',')}}'::text[]) as s(name)),
  'connections', (select coalesce(sum(d.numbackends), 0) from pg_stat_database d),
  'own', (select count(*) from pg_stat_activity a where a.application_name like 'rowbeat %'))::text as facts`,
  )
  return JSON.parse(row!.facts) as ServerFacts
}

export interface Rights {
  user: string
  /** Who owns the results; upkeep makes and drops their partitions. */
  owner: string
  isOwner: boolean
  mayUse: boolean
  /** Tables that this role may not read and write. */
  tables: string[]
  /** Functions that it may not call. */
  functions: number
}

/** Of the connected role on the store. */
export async function readRights(db: Queryable): Promise<Rights> {
  const [row] = await db.query<{ rights: string }>(
    `/* read_rights */ select json_build_object('user', current_user, 'owner', pg_get_userbyid(c.relowner), 'isOwner', pg_has_role(current_user, c.relowner, 'usage'),
  'mayUse', has_schema_privilege('rowbeat', 'usage') and has_schema_privilege('rowbeat_queue', 'usage'),
  'tables', array(select n.nspname || '.' || t.relname from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where n.nspname in ('rowbeat', 'rowbeat_queue') and t.relkind in ('r', 'p') and not t.relispartition and t.relname <> 'migrations'
      and not (has_table_privilege(t.oid, 'select') and has_table_privilege(t.oid, 'insert') and has_table_privilege(t.oid, 'update') and has_table_privilege(t.oid, 'delete'))
    order by 1),
  'functions', (select count(*) from pg_proc p where p.pronamespace = 'rowbeat'::regnamespace and not has_function_privilege(p.oid, 'execute')))::text as rights
from pg_class c join pg_namespace s on s.oid = c.relnamespace where s.nspname = 'rowbeat' and c.relname = 'results'`,
  )
  return JSON.parse(row!.rights) as Rights
}

export interface TableHealth {
  name: string
  live: number
  dead: number
  sizeBytes: number
  vacuumedAt: string | null
}

/** Tables whose rows come and go by the thousand: dead rows that stay in them make every claim slower. */
export async function readHotTables(db: Queryable): Promise<TableHealth[]> {
  return await db.query<TableHealth>(
    `/* read_hot_tables */ select s.schemaname || '.' || s.relname as name, s.n_live_tup::float8 as live, s.n_dead_tup::float8 as dead,
  pg_total_relation_size(s.relid)::float8 as "sizeBytes", rowbeat.told_v1(greatest(s.last_vacuum, s.last_autovacuum)) as "vacuumedAt"
from pg_stat_all_tables s where (s.schemaname, s.relname) in (('rowbeat_queue', '_private_jobs'), ('rowbeat', 'parked'), ('rowbeat', 'workers'), ('rowbeat', 'progress'),
  ('rowbeat', 'unique_keys'), ('rowbeat', 'permits'), ('rowbeat', 'knocks'), ('rowbeat', 'gates'), ('rowbeat', 'schedules')) order by 1`,
  )
}

export interface Holder {
  /** A session, a prepared transaction or a replication slot. */
  kind: 'session' | 'prepared transaction' | 'replication slot'
  name: string
  /** Transactions that began since it took its snapshot. */
  age: number
  /** Seconds; null where this role may not see it. */
  seconds: number | null
  state: string | null
  application: string | null
}

/** Whoever keeps rows that were deleted from being cleared away, oldest first; not this session. */
export async function listHolders(db: Queryable): Promise<Holder[]> {
  return await db.query<Holder>(
    `/* list_holders */ select * from (
  select 'session' as kind, a.pid::text as name, age(a.backend_xmin)::float8 as age, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds, a.state,
    a.application_name as application from pg_stat_activity a where a.backend_xmin is not null and a.pid <> pg_backend_pid() and a.backend_type <> 'autovacuum worker'
  union all select 'prepared transaction', p.gid, age(p.transaction)::float8, extract(epoch from clock_timestamp() - p.prepared)::float8, null, null from pg_prepared_xacts p
  union all select 'replication slot', r.slot_name, age(r.xmin)::float8, null, case when r.active then 'active' else 'inactive' end, null
    from pg_replication_slots r where r.xmin is not null
) h order by h.age desc limit 20`,
  )
}

export interface ProcessRow {
  name: string
  kind: 'worker' | 'beat' | 'api'
  hostname: string
  pid: number
  version: string
  /** Seconds since its last sign of life. */
  unseen: number
  skewMs: number | null
  lagMs: number | null
  isAlive: boolean
  stopping: boolean
}

/** Every process that is registered, the dead that nobody swept too. */
export async function listProcesses(db: Queryable): Promise<ProcessRow[]> {
  return await db.query<ProcessRow>(
    `/* list_processes */ select w.name, w.kind, w.hostname, w.pid, w.version, extract(epoch from clock_timestamp() - w.seen_at)::float8 as unseen,
  w.clock_skew_ms as "skewMs", w.loop_lag_ms as "lagMs", w.seen_at > clock_timestamp() - interval '10 seconds' as "isAlive", w.stopping
from rowbeat.workers w order by w.kind desc, w.name`,
  )
}

export interface StoredSchedules {
  /** Names of those that cannot fire, and why. */
  wrong: { name: string; error: string }[]
  /** Enabled ones whose task nobody ever registered. */
  unknown: { name: string; task: string }[]
}

const SHOWN = 100

/** Of the schedules what concerns their health. */
export async function readStoredSchedules(db: Queryable): Promise<StoredSchedules> {
  const [row] = await db.query<{ found: string }>(
    `/* read_stored_schedules */ select json_build_object(
  'wrong', (select coalesce(json_agg(json_build_object('name', s.name, 'error', s.error) order by s.name), '[]')
    from (select * from rowbeat.schedules x where x.enabled and x.error is not null order by x.name limit ${SHOWN}) s),
  'unknown', (select coalesce(json_agg(json_build_object('name', s.name, 'task', s.task) order by s.name), '[]')
    from (select * from rowbeat.schedules x where x.enabled and not exists (select from rowbeat.tasks t where t.name = x.task) order by x.name limit ${SHOWN}) s))::text as found`,
  )
  return JSON.parse(row!.found) as StoredSchedules
}

/** Which tasks these runs are of, as far as they are claimed: the workers' lists name only ids. */
export async function readTasksOf(
  db: Queryable,
  ids: readonly string[],
): Promise<{ id: string; task: string; queue: string }[]> {
  return await db.query<{ id: string; task: string; queue: string }>(
    `/* read_tasks_of */ select j.key as id, split_part(t.identifier, ':', 2) as task, split_part(t.identifier, ':', 1) as queue
from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id where j.key::uuid = any ($1::uuid[])`,
    [`{${ids.join(',')}}`],
  )
}

/** The first 1,000 names, for whoever completes one. */
export async function listNamesOf(db: Queryable, kind: 'tasks' | 'schedules'): Promise<string[]> {
  const text =
    kind === 'tasks'
      ? `/* list_task_names */ select t.name from rowbeat.tasks t order by 1 limit 1000`
      : `/* list_schedule_names */ select s.name from rowbeat.schedules s order by 1 limit 1000`
  return (await db.query<{ name: string }>(text)).map(({ name }) => name)
}
