-- The store: where a run can be. A run is one row in one place: rowbeat_queue's jobs (it may run now), rowbeat.parked
-- (not yet, and why) or rowbeat.results (how it ended, written once). Tables of graphile-worker are made by its own
-- migrations, before this file. Nothing here needs a superuser or an extension.

create function rowbeat.uuid7_floor_v1(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;
comment on function rowbeat.uuid7_floor_v1 is 'The lowest uuid of the millisecond: every UUIDv7 made at or after it sorts behind it.';

do $$
begin
  if current_setting('server_version_num')::int >= 180000 then
    create function rowbeat.uuid7() returns uuid language sql volatile parallel safe as 'select uuidv7()';
  else
    create function rowbeat.uuid7() returns uuid language sql volatile parallel safe as $f$
      select (substr(hex, 1, 12) || '7' || substr(hex, 14, 3)
           || to_hex(8 + (get_byte(decode(substr(hex, 17, 2), 'hex'), 0) & 3)) || substr(hex, 18))::uuid
      from (select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
                || substr(replace(gen_random_uuid()::text, '-', ''), 13) as hex) h
    $f$;
  end if;
end $$;
comment on function rowbeat.uuid7 is 'A time-ordered UUIDv7 (RFC 9562), also on PostgreSQL before 18.';

create table rowbeat.parked (
  id uuid primary key,
  reason text not null check (reason in ('eta', 'snooze', 'retry', 'paused', 'rate', 'concurrency', 'flow', 'overflow')),
  release_at timestamptz,
  task text not null,
  queue text not null,
  priority smallint not null,
  payload json not null,
  created_at timestamptz not null,
  parked_at timestamptz not null default statement_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_threshold = 2000);
create index parked_release_at on rowbeat.parked (release_at) where release_at is not null;
create index parked_overflow on rowbeat.parked (queue, priority, id) where reason = 'overflow';
create index parked_reason_queue on rowbeat.parked (reason, queue);
create index parked_task on rowbeat.parked (task, id);
comment on table rowbeat.parked is 'Runs that may not run yet, and why.';

create table rowbeat.results (
  id uuid not null primary key,
  task text not null,
  queue text not null,
  state text not null check (state in ('SUCCESS', 'FAILURE', 'REVOKED')),
  reason text check (reason in ('skipped', 'error', 'attempts_exhausted', 'discarded', 'time_limit', 'worker_lost',
                                'input_invalid', 'revoked', 'terminated', 'expired', 'replaced')),
  priority smallint not null,
  input jsonb,
  result jsonb,
  error jsonb,
  progress jsonb,
  attempt integer not null,
  attempts_max integer not null,
  redeliveries integer not null,
  worker text,
  created_at timestamptz not null,
  run_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz not null,
  expires_at timestamptz,
  time_limit float8,
  soft_time_limit float8,
  unique_key text,
  tags text[],
  headers jsonb,
  parent uuid,
  retry_of uuid,
  schedule text,
  due_at timestamptz,
  keep_until timestamptz not null
) partition by range (id);
create index results_task on rowbeat.results (task, id);
create index results_failure on rowbeat.results (id) where state = 'FAILURE';
create index results_keep_until on rowbeat.results using brin (keep_until);
create table rowbeat.results_default partition of rowbeat.results default;
comment on table rowbeat.results is 'Finished runs, written once. One partition a day of the id''s time; results_default has ids of no such day.';

create table rowbeat.attempts (
  run_id uuid not null,
  id bigint generated always as identity,
  attempt integer not null,
  outcome text not null check (outcome in ('retry', 'failed', 'snooze', 'lost', 'handed_back')),
  worker text,
  started_at timestamptz,
  finished_at timestamptz not null,
  error jsonb,
  retry_at timestamptz,
  primary key (run_id, id)
);
comment on table rowbeat.attempts is 'Tries of a run that did not end it in success, with error and stack.';

create table rowbeat.logs (
  run_id uuid not null,
  seq bigint generated always as identity,
  at timestamptz not null,
  attempt integer not null,
  level text not null check (level in ('debug', 'info', 'warn', 'error')),
  message text not null,
  data jsonb,
  primary key (run_id, seq)
);
comment on table rowbeat.logs is 'What handlers said through context.log, at most 1,000 lines a run.';

create table rowbeat.progress (
  run_id uuid primary key,
  current float8 not null,
  total float8,
  meta jsonb,
  at timestamptz not null
) with (fillfactor = 50);
comment on table rowbeat.progress is 'The latest progress of runs that have not finished; a finished run keeps its last one in results.progress.';

create table rowbeat.unique_keys (
  hash bytea primary key,
  run_id uuid not null,
  until_at timestamptz
);
comment on table rowbeat.unique_keys is 'sha256(task, unique_key) -> the run that holds it. Held while that run is not finished; a stale row is taken over.';

create table rowbeat.tasks (
  name text primary key check (name ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'),
  queue text,
  priority smallint,
  attempts_max integer,
  retry jsonb,
  time_limit float8,
  soft_time_limit float8,
  retention float8,
  ignore_result boolean not null default false,
  input_schema jsonb,
  seen_at timestamptz not null default now()
);
comment on table rowbeat.tasks is 'Tasks as the code declares them, written by each worker and API at start; enqueue takes what the caller left out from here.';

create table rowbeat.queues (
  name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
  concurrency integer check (concurrency > 0),
  rate text,
  paused_at timestamptz,
  pause_reason text,
  resume_at timestamptz,
  hot_limit integer not null default 5000 check (hot_limit >= 0),
  overflow smallint,
  hot_until timestamptz
) with (fillfactor = 50);
comment on column rowbeat.queues.hot_limit is 'Runs that may wait in the hot jobs table; the rest is parked as overflow and follows in order of priority and age.';
comment on column rowbeat.queues.overflow is 'Not null while runs overflow: new ones of this priority or a worse one are parked.';
comment on column rowbeat.queues.hot_until is 'Until then a worker looks by itself, so an enqueue need not ring.';
insert into rowbeat.queues (name) values ('default'), ('high');

create table rowbeat.workers (
  id text primary key,
  name text not null,
  kind text not null check (kind in ('worker', 'beat', 'api')),
  hostname text not null,
  pid integer not null,
  pools text[] not null default '{}',
  queues jsonb not null default '{}',
  tasks text[] not null default '{}',
  version text not null,
  running jsonb not null default '[]',
  rss_bytes bigint,
  loop_lag_ms float8,
  clock_skew_ms float8,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  stopping boolean not null default false
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200);
comment on table rowbeat.workers is 'Live processes; each writes its row about once a second. Unseen for 10 s is dead: its runs go back.';

create table rowbeat.api_keys (
  id uuid primary key default rowbeat.uuid7(),
  name text not null,
  prefix text not null,
  hash bytea not null unique,
  scopes text[] not null default '{}',
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table rowbeat.api_keys is 'Keys of the REST API: only the sha-256 of a key is stored.';

create table rowbeat.users (
  id uuid primary key default rowbeat.uuid7(),
  email text not null unique check (email = lower(email)),
  password_hash text not null,
  role text not null check (role in ('viewer', 'operator', 'admin')),
  created_at timestamptz not null default now(),
  disabled_at timestamptz
);
comment on table rowbeat.users is 'People who may open the panel.';

-- The look-up by run id over the hot table (7 ms -> 0.5 ms through the view); enqueue and claim do not feel it.
create index rowbeat_jobs_run_id on rowbeat_queue._private_jobs ((key::uuid));
-- graphile-worker's second index of the same order serves claims that name no named queue; its claim statement does not use it,
-- and without it an insert and a claim cost a tenth less.
drop index if exists rowbeat_queue.jobs_no_queue_index;
alter table rowbeat_queue._private_jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create function rowbeat.make_partition_v1(day date) returns boolean language plpgsql set lock_timeout = '200ms' as $$
declare
  part text := 'results_' || to_char(day, 'YYYYMMDD');
  low uuid := rowbeat.uuid7_floor_v1(day::timestamp at time zone 'UTC');
  high uuid := rowbeat.uuid7_floor_v1((day + 1)::timestamp at time zone 'UTC');
begin
  if to_regclass('rowbeat.' || part) is not null then return false; end if;
  begin
    execute format('create table rowbeat.%I (like rowbeat.results including defaults including constraints)', part);
    -- Ids that came before their day had a table (a chosen id, a clock ahead) move out of the default partition. The lock is the one
    -- that ATTACH takes: had first, so that nothing slips in between, and not waited for longer than anybody would notice.
    lock table rowbeat.results_default in access exclusive mode;
    execute format('with moved as (delete from rowbeat.results_default where id >= %L and id < %L returning *)
                    insert into rowbeat.%I select * from moved', low, high, part);
    execute format('alter table rowbeat.results attach partition rowbeat.%I for values from (%L) to (%L)', part, low, high);
  exception when lock_not_available then return null; -- busy: the next round makes it
  end;
  return true;
end $$;
comment on function rowbeat.make_partition_v1 is 'Makes the day''s partition of results, UTC; false when it is there, null when somebody is busy with the default one.';

do $$ begin
  for n in -1..7 loop perform rowbeat.make_partition_v1((now() at time zone 'UTC')::date + n); end loop;
end $$;

create table rowbeat.upkeep (
  one boolean primary key default true check (one),
  taken_at timestamptz not null default '-infinity'
);
comment on table rowbeat.upkeep is 'One row: when upkeep last began, so that of many workers one does it.';
insert into rowbeat.upkeep default values;

create function rowbeat.take_upkeep_v1(every interval) returns boolean language sql as $$
  with taken as (
    update rowbeat.upkeep set taken_at = clock_timestamp()
    where one and one = (select one from rowbeat.upkeep where taken_at < clock_timestamp() - every for update skip locked) returning 1
  ) select exists (select from taken)
$$;
comment on function rowbeat.take_upkeep_v1 is 'True for one caller per interval: that one does the upkeep.';

create function rowbeat.drop_expired_partitions_v1() returns setof text language plpgsql set lock_timeout = '200ms' as $$
declare
  part text; alive boolean; over text[] := '{}';
begin
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'rowbeat.results'::regclass and c.relname ~ '^results_\d{8}$'
      and to_date(substr(c.relname, 9), 'YYYYMMDD') < (now() at time zone 'UTC')::date - 1 order by c.relname
  loop
    execute format('select exists (select from rowbeat.%I where keep_until >= now())', part) into alive;
    if not alive then over := over || part; end if;
  end loop;
  -- A DROP locks the whole of results till the end: so all is looked at before, and the drops come together.
  foreach part in array over loop
    begin
      execute format('drop table rowbeat.%I', part);
      return next part;
    exception when lock_not_available then null; -- busy: the next round finds it again
    end;
  end loop;
end $$;
comment on function rowbeat.drop_expired_partitions_v1 is 'Drops days of results in which every row is past its keep_until; answers their names.';
