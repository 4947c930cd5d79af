-- Limits over all workers, queues that are paused or drained, and what makes a run unique.
--
-- A limit is a gate. A run whose task, queue or key has limits stands parked at one gate after the other (concurrency of its task or key, of its
-- queue, rate of its task or key, of its queue) and comes into the queue when it has passed the last one. So the queue holds only what
-- may run now, and 200,000 runs that wait at a gate cost a claim nothing.
--   concurrency: passing takes a permit, and the permit is good as long as the run is in the queue or behind this gate. More permits than the
--     limit are never given, so more runs than that never run.
--   rate: passing takes a token from a bucket that fills at the rate and holds `burst`.
-- Whoever changes what a gate would decide (a run came, a permit came free, a limit was edited) leaves a row in rowbeat.knocks. It only inserts, so
-- a transaction that stays open for an hour holds up nobody; dispatchers take the knocks, one at a time for each gate (an advisory lock).
--
-- A gate is named by its key: c (concurrency) or r (rate), t (task) or q (queue), the name, and for a keyed limit the key: `c:t:books.import:42`.
--
-- Functions that clients call keep their versions. The ones behind them are replaced in place here: what an older release enqueues meets the limits too.

create function rowbeat.rate_v1(rate text) returns float8 language sql immutable strict parallel safe as $$
  select case when rate ~ '^\d{1,9}(\.\d{1,6})?(/[smhd])?$' and split_part(rate, '/', 1)::float8 > 0
    then split_part(rate, '/', 1)::float8 / case split_part(rate, '/', 2) when 'm' then 60 when 'h' then 3600 when 'd' then 86400 else 1 end end
$$;
comment on function rowbeat.rate_v1 is 'Runs a second of a rate such as 10/m (s, m, h or d; without a unit a second), or null when it is none.';

create function rowbeat.burst_v1(rate text, burst integer) returns float8 language sql immutable parallel safe as $$
  select coalesce(burst, greatest(1, ceil(rowbeat.rate_v1(rate) / 10)))::float8
$$;
comment on function rowbeat.burst_v1 is 'Runs that may pass at once: as given, or a tenth of a second''s worth, at least one.';

alter table rowbeat.queues add column rate_burst integer check (rate_burst > 0);
alter table rowbeat.queues add column draining_at timestamptz;
alter table rowbeat.queues add constraint queues_rate_check check (rate is null or rowbeat.rate_v1(rate) is not null);
comment on column rowbeat.queues.concurrency is 'Runs of this queue at once, over all workers; null is no limit.';
comment on column rowbeat.queues.rate is 'Runs of this queue in a time, over all workers: 10/m, 50/s, 5/d; null is no limit.';
comment on column rowbeat.queues.rate_burst is 'Runs that the rate lets pass at once; null is a tenth of a second''s worth, at least one.';
comment on column rowbeat.queues.draining_at is 'Since then what waits is worked off, and what comes waits as paused.';
alter table rowbeat.tasks add column concurrency integer check (concurrency > 0);
alter table rowbeat.tasks add column concurrency_strategy text not null default 'wait' check (concurrency_strategy in ('wait', 'skip', 'cancel_oldest'));
alter table rowbeat.tasks add column rate text check (rate is null or rowbeat.rate_v1(rate) is not null);
alter table rowbeat.tasks add column rate_burst integer check (rate_burst > 0);
comment on column rowbeat.tasks.concurrency is 'Runs at once over all workers, for each concurrency_key where runs have one; null is no limit.';
comment on column rowbeat.tasks.concurrency_strategy is 'What becomes of a run above the limit: wait, skip (it ends as SUCCESS skipped), cancel_oldest (it takes the place of the oldest).';
comment on column rowbeat.tasks.rate is 'Runs in a time over all workers, for each rate_key where runs have one: 10/m, 50/s, 5/d; null is no limit.';

alter table rowbeat.parked add column gate text;
comment on column rowbeat.parked.gate is 'The limit it waits for: c or r (concurrency, rate), t or q (task, queue), name, and the key if it has one.';
create index parked_gate on rowbeat.parked (gate, priority, id) where gate is not null;
drop index rowbeat.parked_overflow;
create index parked_backlog on rowbeat.parked (queue, priority, id) where reason in ('overflow', 'paused');

create table rowbeat.permits (
  run_id uuid not null,
  gate text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (run_id, gate)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
create index permits_gate on rowbeat.permits (gate);
comment on table rowbeat.permits is 'Who has passed a concurrency gate and has not ended.';

create table rowbeat.knocks (
  gate text not null
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
create index knocks_gate on rowbeat.knocks (gate);
comment on table rowbeat.knocks is 'Gates that a dispatcher should look at: a run came, a permit came free, a limit changed. Only inserted and deleted.';

create table rowbeat.gates (
  key text primary key,
  tokens float8 not null default 1,
  owed float8 not null default 0,
  filled_at timestamptz not null default clock_timestamp(),
  ready_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200);
create index gates_ready_at on rowbeat.gates (ready_at) where ready_at is not null;
comment on table rowbeat.gates is 'Buckets of the rates: tokens as of filled_at, and when somebody who waits may pass next. owed: what late looks have missed, made up for little by little.';

create function rowbeat.gates_v1(d rowbeat.tasks, q rowbeat.queues, task text, queue text, concurrency_key text, rate_key text)
returns text[] language sql immutable parallel safe as $$
  select array_remove(array[
    case when d.concurrency is not null or concurrency_key is not null then 'c:t:' || task || coalesce(':' || concurrency_key, '') end,
    case when q.concurrency is not null then 'c:q:' || queue end,
    case when d.rate is not null then 'r:t:' || task || coalesce(':' || rate_key, '') end,
    case when q.rate is not null then 'r:q:' || queue end], null)
$$;
comment on function rowbeat.gates_v1 is 'The gates of a run, in the order it passes them.';

-- The gates of a run after one of them; all of them after null.
create function rowbeat.gate_after_v1(task text, queue text, payload json, after text) returns text language sql stable as $$
  select g.key from unnest(rowbeat.gates_v1((select d from rowbeat.tasks d where d.name = task), (select q from rowbeat.queues q where q.name = queue), task, queue,
    payload->>'concurrency_key', payload->>'rate_key')) with ordinality g(key, n)
  where after is null or array_position('{c:t,c:q,r:t,r:q}', left(g.key, 3)) > array_position('{c:t,c:q,r:t,r:q}', left(after, 3)) order by g.n limit 1
$$;

create function rowbeat.reason_v1(gate text) returns text language sql immutable strict parallel safe as $$
  select case left(gate, 1) when 'c' then 'concurrency' else 'rate' end
$$;

-- ---------------------------------------------------------------- enqueue

create or replace function rowbeat.invalid_run_v1(v jsonb) returns text language plpgsql stable parallel safe as $$
declare
  known text[] := '{task,input,queue,priority,delay,eta,expires,id,unique_key,on_conflict,unique_while,unique_for,debounce,debounce_max,idempotency_key,idempotency_for,tags,headers,attempts_max,retry,time_limit,soft_time_limit,concurrency_key,rate_key,ignore_result,parent,retry_of,schedule,due_at,retention,unknown_queue}';
  unknown text := case when jsonb_typeof(v) = 'object' then (select k from jsonb_object_keys(v - known) k limit 1) end;
  field text;
begin
  if jsonb_typeof(v) <> 'object' then return 'run: must be an object such as {"task": "demo.add", "input": {}}'; end if;
  if v->>'task' is null then return 'task: is missing; name the task to run'; end if;
  if jsonb_typeof(v->'task') <> 'string' then return 'task: must be text'; end if;
  if v->>'task' !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$' then return 'task: must match ^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'; end if;
  if unknown is not null then return unknown || ': is not a field of a run; known are ' || array_to_string(array_remove(known, 'unknown_queue'), ', '); end if;
  if v->>'queue' is not null and (v->>'queue') !~ '^[a-z][a-z0-9_-]{0,31}$' then return 'queue: must match ^[a-z][a-z0-9_-]{0,31}$'; end if;
  if v->>'priority' is not null and (jsonb_typeof(v->'priority') <> 'number' or (v->>'priority')::numeric not between -32768 and 32767
      or (v->>'priority')::numeric % 1 <> 0) then return 'priority: must be a whole number from -32768 to 32767, lower runs first'; end if;
  -- Text of jsonb has blanks that were not sent, half as much again at most: what is within 1 MiB as it was sent is never refused.
  if pg_column_size(v->'input') > 1048576 and octet_length((v->'input')::text) > 1572864 then return 'input: is larger than 1 MiB; store it elsewhere and pass a reference'; end if;
  foreach field in array '{input,headers}'::text[] loop
    if v->field @? '$.**{65}' then return field || ': is nested deeper than 64 levels; flatten it'; end if;
  end loop;
  foreach field in array '{delay,time_limit,soft_time_limit,retention,unique_for,debounce,debounce_max,idempotency_for}'::text[] loop
    if v->>field is not null and coalesce(rowbeat.seconds_v1(v->field), -1) not between 0 and 3155760000 then
      return field || ': must be seconds or text such as "30s", "10 minutes", not negative, at most 100 years'; end if;
  end loop;
  foreach field in array '{eta,due_at}'::text[] loop
    if v->>field is not null and rowbeat.instant_v1(v->>field) is null then return field || ': must be an instant such as 2026-01-31T12:00:00Z'; end if;
  end loop;
  if v->>'delay' is not null and v->>'eta' is not null then return 'eta: give eta or delay, not both'; end if;
  if v->>'expires' is not null and coalesce(rowbeat.seconds_v1(v->'expires'), -1) not between 0 and 3155760000 and rowbeat.instant_v1(v->>'expires') is null then
    return 'expires: must be an instant, or a duration from now such as "10m"'; end if;
  foreach field in array '{id,parent,retry_of}'::text[] loop
    if v->>field is not null and (v->>field) !~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$' then return field || ': must be a UUID'; end if;
  end loop;
  foreach field in array '{unique_key,concurrency_key,rate_key,idempotency_key}'::text[] loop
    if v->>field is not null and (jsonb_typeof(v->field) <> 'string' or length(v->>field) not between 1 and 512) then
      return field || ': must be text of 1 to 512 characters'; end if;
  end loop;
  if coalesce(v->>'on_conflict', 'keep') not in ('keep', 'replace', 'reject') then return 'on_conflict: must be keep, replace or reject'; end if;
  if coalesce(v->>'unique_while', 'unfinished') not in ('queued', 'unfinished') then return 'unique_while: must be queued or unfinished'; end if;
  foreach field in array '{unique_while,unique_for,debounce}'::text[] loop
    if v->>field is not null and v->>'unique_key' is null then return field || ': needs a unique_key'; end if;
  end loop;
  if v->>'debounce_max' is not null and v->>'debounce' is null then return 'debounce_max: needs debounce'; end if;
  if v->>'debounce' is not null and (v ?| '{eta,delay,on_conflict,unique_for}') then
    return 'debounce: says itself when the run may start and what becomes of the one that waits; leave out eta, delay, on_conflict and unique_for'; end if;
  if v->>'idempotency_for' is not null and v->>'idempotency_key' is null then return 'idempotency_for: needs an idempotency_key'; end if;
  if coalesce(v->>'unknown_queue', 'create') not in ('create', 'refuse') then return 'unknown_queue: must be create or refuse'; end if;
  if v->>'tags' is not null and (jsonb_typeof(v->'tags') <> 'array' or jsonb_array_length(v->'tags') > 20
      or exists (select from jsonb_array_elements(v->'tags') t where jsonb_typeof(t) <> 'string' or length(t #>> '{}') not between 1 and 64)) then
    return 'tags: must be at most 20 texts of 1 to 64 characters'; end if;
  if v->>'headers' is not null and (jsonb_typeof(v->'headers') <> 'object' or pg_column_size(v->'headers') > 65536) then return 'headers: must be an object of at most 64 KiB'; end if;
  if v->>'retry' is not null and rowbeat.invalid_retry_v1(v->'retry') is not null then return 'retry: ' || rowbeat.invalid_retry_v1(v->'retry'); end if;
  if v->>'attempts_max' is not null and (jsonb_typeof(v->'attempts_max') <> 'number' or (v->>'attempts_max')::numeric not between 1 and 1000000
      or (v->>'attempts_max')::numeric % 1 <> 0) then return 'attempts_max: must be a whole number from 1 to 1000000'; end if;
  if v->>'ignore_result' is not null and jsonb_typeof(v->'ignore_result') <> 'boolean' then return 'ignore_result: must be true or false'; end if;
  if rowbeat.seconds_v1(v->'soft_time_limit') > nullif(rowbeat.seconds_v1(v->'time_limit'), 0) then return 'soft_time_limit: must not be longer than time_limit'; end if;
  return null;
end $$;

create or replace function rowbeat.payload_v1(v jsonb, attempts_max integer, time_limit float8, soft_time_limit float8, at timestamptz)
returns text language sql stable parallel safe as $$
  select case when attempts_max is null and time_limit is null and soft_time_limit is null and v - '{task,input,queue,priority}'::text[] = '{}'::jsonb
    then '{"input": ' || coalesce((v->'input')::text, '{}') || '}'
    else (jsonb_strip_nulls(jsonb_build_object('attempts_max', attempts_max, 'time_limit', time_limit, 'soft_time_limit', soft_time_limit))
      || (v - '{task,input,queue,priority,eta,delay,id,kept,on_conflict,unique_while,unique_for,debounce,debounce_max,idempotency_key,idempotency_for,unknown_queue,expires,attempts_max,time_limit,soft_time_limit,retention,headers}'::text[])
      || case when jsonb_typeof(v->'headers') = 'object' then jsonb_build_object('headers', v->'headers') else '{}'::jsonb end
      || jsonb_strip_nulls(jsonb_build_object('attempts_max', v->'attempts_max', 'time_limit', rowbeat.seconds_v1(v->'time_limit'), 'soft_time_limit', rowbeat.seconds_v1(v->'soft_time_limit'),
           'retention', rowbeat.seconds_v1(v->'retention'),
           'expires_at', coalesce(at + rowbeat.seconds_v1(v->'expires') * interval '1 second', (v->>'expires')::timestamptz)))
      || jsonb_build_object('input', coalesce(v->'input', '{}'::jsonb)))::text end
$$;

-- What can be said of a run only beside its task and its queue.
create function rowbeat.refuse_beside_v1(v jsonb, d rowbeat.tasks, q rowbeat.queues, target text, place bigint) returns void language plpgsql as $$
begin
  if coalesce(rowbeat.seconds_v1(v->'soft_time_limit'), d.soft_time_limit) > nullif(coalesce(rowbeat.seconds_v1(v->'time_limit'), d.time_limit), 0) then
    raise exception '%', case when v->>'soft_time_limit' is null
        then format('time_limit: must not be shorter than the soft_time_limit of task %s, %s s', v->>'task', d.soft_time_limit)
        else format('soft_time_limit: must not be longer than the time_limit of task %s, %s s', v->>'task', d.time_limit) end
      using errcode = 'invalid_parameter_value', detail = place::text;
  end if;
  if v->>'unknown_queue' = 'refuse' and q.name is null then
    raise exception 'queue: "%" is not defined; define it (insert into rowbeat.queues, or PUT /v1/queues/%), or use one that is', target, target
      using errcode = 'invalid_parameter_value', detail = place::text;
  end if;
end $$;

drop function rowbeat.placed_v1(jsonb, timestamptz);
create function rowbeat.placed_v1(runs jsonb, at timestamptz)
returns table (ordinal bigint, own text, task text, queue text, priority smallint, eta timestamptz, payload text, task_id integer, reason text, gate text)
language sql stable as $$
  select e.ordinal, e.v->>'id', e.v->>'task', e.queue, e.priority, e.eta, e.payload, t.id,
    case when p.why in ('eta', 'paused') then p.why else coalesce(rowbeat.reason_v1(g.gate), p.why) end, case when p.why in ('eta', 'paused') then null else g.gate end
  from (
    select x.ordinal, x.v, d, coalesce(x.v->>'queue', d.queue, 'default') as queue, coalesce((x.v->>'priority')::smallint, d.priority, 0::smallint) as priority,
      coalesce((x.v->>'eta')::timestamptz, at + rowbeat.seconds_v1(x.v->'delay') * interval '1 second') as eta,
      rowbeat.payload_v1(x.v, d.attempts_max, d.time_limit, d.soft_time_limit, at) as payload
    from jsonb_array_elements(runs) with ordinality x(v, ordinal) left join rowbeat.tasks d on d.name = x.v->>'task'
    where not x.v ? 'kept') e
  left join rowbeat.queues q on q.name = e.queue
  left join rowbeat_queue._private_tasks t on t.identifier = e.queue || ':' || (e.v->>'task')
  cross join lateral (select rowbeat.placement_v1(e.eta, at, coalesce(q.paused_at, q.draining_at), q.overflow, e.priority) as why) p
  cross join lateral (select case when (e.d).concurrency is not null or (e.d).rate is not null or q.concurrency is not null or q.rate is not null or e.v ? 'concurrency_key'
    then (rowbeat.gates_v1(e.d, q, e.v->>'task', e.queue, e.v->>'concurrency_key', e.v->>'rate_key'))[1] end as gate) g
$$;
comment on function rowbeat.placed_v1 is 'Runs as asked for -> the same with defaults, payload and place: reason null is hot, task_id null is an identifier not made yet.';

-- Dispatchers are told, unless others wait at that gate: then it is shut, or being looked at.
create function rowbeat.knock_v1(which text) returns void language plpgsql as $$
begin
  if not exists (select from rowbeat.parked p where p.gate = which offset 1 limit 1) then perform pg_notify('rowbeat_parked', ''); end if;
  insert into rowbeat.knocks (gate) values (which);
end $$;

create or replace function rowbeat.place_one_v1(v jsonb, at timestamptz) returns uuid language plpgsql as $$
declare
  d rowbeat.tasks; q rowbeat.queues; why text; gated text; target text; worth smallint; eta timestamptz; kind integer; payload json; run uuid := rowbeat.uuid7();
begin
  select * into d from rowbeat.tasks t where t.name = v->>'task';
  target := coalesce(v->>'queue', d.queue, 'default');
  worth := coalesce((v->>'priority')::smallint, d.priority, 0);
  eta := coalesce((v->>'eta')::timestamptz, at + rowbeat.seconds_v1(v->'delay') * interval '1 second');
  payload := rowbeat.payload_v1(v, d.attempts_max, d.time_limit, d.soft_time_limit, at);
  select * into q from rowbeat.queues k where k.name = target;
  if v ?| '{time_limit,soft_time_limit,unknown_queue}' then perform rowbeat.refuse_beside_v1(v, d, q, target, 0); end if;
  why := rowbeat.placement_v1(eta, at, coalesce(q.paused_at, q.draining_at), q.overflow, worth);
  if (d.concurrency is not null or d.rate is not null or q.concurrency is not null or q.rate is not null or v ? 'concurrency_key') and (why is null or why = 'overflow') then
    gated := (rowbeat.gates_v1(d, q, v->>'task', target, v->>'concurrency_key', v->>'rate_key'))[1];
    why := coalesce(rowbeat.reason_v1(gated), why);
  end if;
  select t.id into kind from rowbeat_queue._private_tasks t where t.identifier = target || ':' || (v->>'task');
  if kind is null then
    perform rowbeat.make_identifiers_v1(jsonb_build_array(v));
    select t.id into kind from rowbeat_queue._private_tasks t where t.identifier = target || ':' || (v->>'task');
  end if;
  if why is null then
    insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
    values (kind, payload, worth, at, 32767, run::text, at, at);
    perform rowbeat.ring_v1(target);
  else
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at, gate)
    values (run, why, case when why = 'eta' then eta end, v->>'task', target, worth, payload, at, at, gated);
    if gated is not null then perform rowbeat.knock_v1(gated);
    elsif eta < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  end if;
  return run;
end $$;

create or replace function rowbeat.place_many_v1(runs jsonb, at timestamptz) returns uuid[] language plpgsql as $$
declare
  total integer := jsonb_array_length(runs); ids uuid[]; bells text[]; gated text[]; soon timestamptz; bell text;
begin
  if runs @? '$[*] ? (exists (@.time_limit) || exists (@.soft_time_limit) || exists (@.unknown_queue))' then
    perform rowbeat.refuse_beside_v1(x.v, d, q, t.target, x.n - 1) from jsonb_array_elements(runs) with ordinality x(v, n)
      left join rowbeat.tasks d on d.name = x.v->>'task' cross join lateral (select coalesce(x.v->>'queue', d.queue, 'default') as target) t
      left join rowbeat.queues q on q.name = t.target where not x.v ? 'kept';
  end if;
  if random() < total / 2500.0 then
    perform rowbeat.mark_overflow_v1(n.queue, n.count, n.best) from (
      select p.queue, count(*)::integer as count, min(p.priority)::integer as best from rowbeat.placed_v1(runs, at) p where p.gate is null group by 1) n;
  end if;
  loop
    with p as materialized (
      -- A microsecond apart, so that they keep their order wherever they go.
      select p.*, coalesce(p.own::uuid, rowbeat.uuid7()) as id, at - (total - p.ordinal) * interval '1 microsecond' as asked_at from rowbeat.placed_v1(runs, at) p
    ), ready as (
      select not exists (select from p where task_id is null) as yes
    ), hot as (
      insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
      select p.task_id, p.payload::json, p.priority, p.asked_at, 32767, p.id::text, p.asked_at, p.asked_at from p, ready where ready.yes and p.reason is null
    ), cold as (
      insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at, gate)
      select p.id, p.reason, case when p.reason = 'eta' then p.eta end, p.task, p.queue, p.priority, p.payload::json, p.asked_at, p.asked_at, p.gate
      from p, ready where ready.yes and p.reason is not null
    )
    select array_agg(p.id order by p.ordinal), array_agg(distinct p.queue) filter (where p.reason is null), array_agg(distinct p.gate) filter (where p.gate is not null),
      min(case p.reason when 'eta' then p.eta when 'overflow' then at end)
    into ids, bells, gated, soon from p, ready where ready.yes;
    exit when ids is not null or not exists (select from jsonb_array_elements(runs) v where not v ? 'kept');
    perform rowbeat.make_identifiers_v1(runs);
  end loop;
  foreach bell in array coalesce(bells, '{}') loop perform rowbeat.ring_v1(bell); end loop;
  if gated is not null then insert into rowbeat.knocks (gate) select unnest(gated); end if;
  if gated is not null or soon < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  return ids;
end $$;

create or replace function rowbeat.enqueue_many_v1(runs jsonb) returns table (ordinal integer, id uuid, created boolean)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select * from rowbeat.enqueue_many_v2(runs)
$$;

create or replace function rowbeat.enqueue_many_v2(runs jsonb) returns table (ordinal integer, id uuid, created boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  total integer; at timestamptz := statement_timestamp(); wrong record; ids uuid[];
begin
  if runs is null or jsonb_typeof(runs) <> 'array' then
    raise exception 'runs: must be a JSON array of runs such as [{"task": "demo.add", "input": {}}]' using errcode = 'invalid_parameter_value';
  end if;
  total := jsonb_array_length(runs);
  if total = 0 then return; end if;
  if total > 1 or rowbeat.invalid_v1(runs->0) is not null then
    select ord, rowbeat.invalid_v1(v) as why into wrong from jsonb_array_elements(runs) with ordinality x(v, ord) where rowbeat.invalid_v1(v) is not null limit 1;
    if found then
      raise exception '%', wrong.why using detail = (wrong.ord - 1)::text,
        errcode = case when wrong.why like 'input: is larger%' then 'program_limit_exceeded' else 'invalid_parameter_value' end;
    end if;
  end if;
  if not runs @? '$[*] ? (exists (@.id) || exists (@.unique_key) || exists (@.idempotency_key))' then
    if total = 1 then
      if random() < 1 / 2500.0 then
        perform rowbeat.mark_overflow_v1(p.queue, 1, p.priority::integer) from rowbeat.placed_v1(runs, at) p where p.gate is null;
      end if;
      ids := array[rowbeat.place_one_v1(runs->0, at)];
    else
      ids := rowbeat.place_many_v1(runs, at);
    end if;
    return query select o.ordinal::integer, o.id, true from unnest(ids) with ordinality o(id, ordinal);
  else
    runs := rowbeat.resolve_clashes_v1(runs);
    ids := rowbeat.place_many_v1(runs, at);
    return query select x.ord::integer, coalesce((x.v->>'kept')::uuid, ids[count(*) filter (where not x.v ? 'kept') over (order by x.ord)]), not x.v ? 'kept'
      from jsonb_array_elements(runs) with ordinality x(v, ord) order by 1;
  end if;
end $$;

create or replace function rowbeat.enqueue_same_v1(fields jsonb, inputs jsonb) returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  d rowbeat.tasks; q rowbeat.queues; why text; gated text; wrong record; target text; worth smallint; eta timestamptz; kind integer; rest text; open text;
  total integer := jsonb_array_length(inputs); at timestamptz := statement_timestamp();
begin
  why := case when fields ?| '{id,unique_key,idempotency_key,input}' then 'fields: must not have id, unique_key, idempotency_key or input' else rowbeat.invalid_run_v1(fields) end;
  if why is not null then raise exception '%', why using errcode = 'invalid_parameter_value', detail = '0'; end if;
  select x.ord, rowbeat.invalid_run_v1(fields || jsonb_build_object('input', x.v)) as why into wrong
  from jsonb_array_elements(inputs) with ordinality x(v, ord) where pg_column_size(x.v) > 500 and rowbeat.invalid_run_v1(fields || jsonb_build_object('input', x.v)) is not null limit 1;
  if found then
    raise exception '%', wrong.why using detail = (wrong.ord - 1)::text,
      errcode = case when wrong.why like 'input: is larger%' then 'program_limit_exceeded' else 'invalid_parameter_value' end;
  end if;
  select * into d from rowbeat.tasks t where t.name = fields->>'task';
  target := coalesce(fields->>'queue', d.queue, 'default');
  worth := coalesce((fields->>'priority')::smallint, d.priority, 0);
  eta := coalesce((fields->>'eta')::timestamptz, at + rowbeat.seconds_v1(fields->'delay') * interval '1 second');
  rest := (rowbeat.payload_v1(fields, d.attempts_max, d.time_limit, d.soft_time_limit, at)::jsonb - 'input')::text;
  open := case rest when '{}' then '{"input": ' else left(rest, -1) || ', "input": ' end;
  select * into q from rowbeat.queues k where k.name = target;
  if fields ?| '{time_limit,soft_time_limit,unknown_queue}' then perform rowbeat.refuse_beside_v1(fields, d, q, target, 0); end if;
  gated := (rowbeat.gates_v1(d, q, fields->>'task', target, fields->>'concurrency_key', fields->>'rate_key'))[1];
  if gated is null and random() < total / 2500.0 then
    perform rowbeat.mark_overflow_v1(target, total, worth);
    select * into q from rowbeat.queues k where k.name = target;
  end if;
  why := rowbeat.placement_v1(eta, at, coalesce(q.paused_at, q.draining_at), q.overflow, worth);
  if why in ('eta', 'paused') then gated := null; end if;
  why := coalesce(rowbeat.reason_v1(gated), why);
  select t.id into kind from rowbeat_queue._private_tasks t where t.identifier = target || ':' || (fields->>'task');
  if kind is null then
    perform rowbeat.make_identifiers_v1(jsonb_build_array(fields));
    select t.id into kind from rowbeat_queue._private_tasks t where t.identifier = target || ':' || (fields->>'task');
  end if;
  if why is null then
    return query
    with r as materialized (
      select rowbeat.uuid7() as run, x.v, at - (total - x.ord) * interval '1 microsecond' as asked_at from jsonb_array_elements(inputs) with ordinality x(v, ord)
    ), hot as (
      insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
      select kind, (open || r.v::text || '}')::json, worth, r.asked_at, 32767, r.run::text, r.asked_at, r.asked_at from r
    )
    select r.run from r;
    perform rowbeat.ring_v1(target);
  else
    return query
    with r as materialized (
      select rowbeat.uuid7() as run, x.v, at - (total - x.ord) * interval '1 microsecond' as asked_at from jsonb_array_elements(inputs) with ordinality x(v, ord)
    ), cold as (
      insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at, gate)
      select r.run, why, case when why = 'eta' then eta end, fields->>'task', target, worth, (open || r.v::text || '}')::json, r.asked_at, at, gated from r
    )
    select r.run from r;
    if gated is not null then insert into rowbeat.knocks (gate) values (gated); end if;
    if gated is not null or why = 'overflow' or eta < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  end if;
end $$;

create or replace function rowbeat.enqueue_v1(task text, input jsonb, queue text, priority integer, delay interval, eta timestamptz, expires timestamptz,
  id uuid, unique_key text, tags text[], headers jsonb, options jsonb) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  reserved text;
begin
  if jsonb_typeof(options) <> 'object' then
    raise exception 'options: must be an object such as {"attempts_max": 3}' using errcode = 'invalid_parameter_value';
  end if;
  select k into reserved from jsonb_object_keys(options) k
    where k <> all ('{on_conflict,unique_while,unique_for,debounce,debounce_max,idempotency_key,idempotency_for,attempts_max,retry,time_limit,soft_time_limit,concurrency_key,rate_key,ignore_result,parent,retention,unknown_queue}') limit 1;
  if found then
    raise exception 'options: "%" is not an option of enqueue', reserved using errcode = 'invalid_parameter_value';
  end if;
  return (select m.id from rowbeat.enqueue_many_v2(jsonb_build_array(
    jsonb_strip_nulls(jsonb_build_object('task', task, 'queue', queue, 'priority', priority, 'delay', extract(epoch from delay)::float8, 'eta', eta,
      'expires', expires, 'id', id, 'unique_key', unique_key, 'tags', to_jsonb(tags)))
    || case when headers is null then '{}' else jsonb_build_object('headers', headers) end || coalesce(options, '{}') || jsonb_build_object('input', coalesce(input, '{}')))) m);
end $$;

-- ---------------------------------------------------------------- what is unique

alter table rowbeat.unique_keys add column while_queued boolean not null default false;
alter table rowbeat.unique_keys add column since_at timestamptz;
comment on table rowbeat.unique_keys is 'sha256(task, unique_key) or of an idempotency key -> the run that holds it: while that has not finished (or, while_queued, not started), and until until_at in any case. A stale row is taken over.';
comment on column rowbeat.unique_keys.since_at is 'For a debounce: when the first of the runs that replaced one another was enqueued.';
create index unique_keys_until_at on rowbeat.unique_keys (until_at) where until_at is not null;

create function rowbeat.is_waiting_v1(run uuid) returns boolean language sql volatile as $$
  select exists (select from rowbeat_queue._private_jobs where key = run::text and locked_at is null) or exists (select from rowbeat.parked where id = run)
$$;

-- Runs that bring an id or a key: those that stand already get "kept" (the standing run's id), the rest an id.
create or replace function rowbeat.resolve_clashes_v1(runs jsonb) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  r record; own uuid; digest bytea; pass bytea; item jsonb; held rowbeat.unique_keys; since timestamptz; at timestamptz := clock_timestamp(); among boolean; span float8;
begin
  -- In one order everywhere, ids first, so that two callers with crossed ids or keys wait for each other instead of dying of a deadlock.
  perform pg_advisory_xact_lock(hashtextextended('rowbeat.run:' || x.own, 0))
  from (select distinct (v->>'id')::uuid as own from jsonb_array_elements(runs) v where v->>'id' is not null order by 1) x;
  for r in select ord - 1 as n, v from jsonb_array_elements(runs) with ordinality x(v, ord)
           where v->>'id' is not null or v->>'unique_key' is not null or v->>'idempotency_key' is not null
           order by v->>'task', v->>'idempotency_key', v->>'unique_key', v->>'id' loop
    item := r.v;
    own := coalesce((item->>'id')::uuid, rowbeat.uuid7());
    if item->>'id' is not null and (rowbeat.is_known_v1(own) or exists (select from jsonb_array_elements(runs) with ordinality y(w, o)
        where o - 1 < r.n and w->>'id' is not null and (w->>'id')::uuid = own)) then
      item := item || jsonb_build_object('kept', own);
    end if;
    pass := null;
    if item->>'idempotency_key' is not null and not item ? 'kept' then
      pass := sha256(convert_to('idempotency:' || (item->>'task') || ':' || (item->>'idempotency_key'), 'UTF8'));
      span := coalesce(rowbeat.seconds_v1(item->'idempotency_for'), 86400);
      insert into rowbeat.unique_keys as u (hash, run_id, until_at) values (pass, own, at + span * interval '1 second')
        on conflict (hash) do update set run_id = u.run_id returning * into held;
      if held.run_id <> own then
        among := exists (select from jsonb_array_elements(runs) w where w->>'id' = held.run_id::text and not w ? 'kept');
        if (held.until_at > at and rowbeat.is_known_v1(held.run_id)) or among then item := item || jsonb_build_object('kept', held.run_id);
        else update rowbeat.unique_keys u set run_id = own, until_at = at + span * interval '1 second' where u.hash = pass; end if;
      end if;
    end if;
    if item->>'unique_key' is not null and not item ? 'kept' then
      digest := sha256(convert_to((item->>'task') || ':' || (item->>'unique_key'), 'UTF8'));
      since := at;
      insert into rowbeat.unique_keys as u (hash, run_id) values (digest, own) on conflict (hash) do update set run_id = u.run_id
      returning * into held;
      among := exists (select from jsonb_array_elements(runs) w where w->>'id' = held.run_id::text and not w ? 'kept');
      if held.run_id <> own and (among or (coalesce(held.until_at > at, false) and rowbeat.is_known_v1(held.run_id)) or case
          when item->>'debounce' is not null or item->>'unique_while' = 'queued' or (held.while_queued and item->>'unique_while' is null) then rowbeat.is_waiting_v1(held.run_id)
          else rowbeat.is_live_v1(held.run_id) end) then
        if item->>'on_conflict' = 'reject' then
          raise exception 'unique_key: "%" is held by run % of task %', item->>'unique_key', held.run_id, item->>'task'
            using errcode = 'unique_violation', detail = held.run_id::text, hint = 'Wait for it, use another unique_key, or on_conflict "keep" or "replace".';
        elsif item->>'debounce' is not null and not among and rowbeat.end_waiting_v2(held.run_id, 'replaced', null, null) then
          since := coalesce(held.since_at, at);
        elsif item->>'on_conflict' is distinct from 'replace' or not rowbeat.end_waiting_v2(held.run_id, 'replaced', null, null) then
          item := item || jsonb_build_object('kept', held.run_id);
        end if;
      end if;
      if not item ? 'kept' then
        if item->>'debounce' is not null then
          item := item || jsonb_build_object('eta', least(at + rowbeat.seconds_v1(item->'debounce') * interval '1 second',
            since + rowbeat.seconds_v1(item->'debounce_max') * interval '1 second'));
        end if;
        update rowbeat.unique_keys u set run_id = own, since_at = case when item->>'debounce' is not null then since end,
          while_queued = coalesce(item->>'unique_while' = 'queued', false) or item->>'debounce' is not null,
          until_at = at + rowbeat.seconds_v1(item->'unique_for') * interval '1 second'
        where u.hash = digest and (u.run_id <> own or item ?| '{debounce,unique_while,unique_for}');
        item := item - '{debounce,debounce_max}'::text[];
      end if;
    end if;
    if pass is not null and item ? 'kept' then
      update rowbeat.unique_keys u set run_id = (item->>'kept')::uuid where u.hash = pass and u.run_id = own;
    end if;
    runs := jsonb_set(runs, array[r.n::text], case when item ? 'kept' then item else item || jsonb_build_object('id', own) end);
  end loop;
  return runs;
end $$;

-- ---------------------------------------------------------------- gates

-- Ends parked runs, however many, in one statement. (results.options comes with 0006, before anything calls this.)
create function rowbeat.end_parked_v1(ids uuid[], ending text, why text) returns integer language plpgsql as $$
declare
  ended uuid[];
begin
  with gone as (
    delete from rowbeat.parked p where p.id = any (ids) returning p.id, p.task, p.queue, p.priority, p.payload, p.created_at, coalesce(p.release_at, p.parked_at) as run_at
  ), freed as (
    delete from rowbeat.permits x using gone g where x.run_id = g.id returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct gate from freed
  ), stored as (
    insert into rowbeat.results (id, task, queue, state, reason, priority, input, attempt, attempts_max, redeliveries, created_at, run_at, finished_at,
      expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, options, keep_until)
    select e.id, e.task, e.queue, ending, why, e.priority, p->'input', coalesce((p->>'attempt')::int, 0), coalesce((p->>'attempts_max')::int, 1),
      coalesce((p->>'redeliveries')::int, 0), e.created_at, e.run_at, clock_timestamp(), (p->>'expires_at')::timestamptz, (p->>'time_limit')::float8,
      (p->>'soft_time_limit')::float8, p->>'unique_key', case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) end, p->'headers',
      (p->>'parent')::uuid, (p->>'retry_of')::uuid, p->>'schedule', (p->>'due_at')::timestamptz, rowbeat.kept_options_v1(p),
      clock_timestamp() + coalesce((p->>'retention')::float8, (select t.retention from rowbeat.tasks t where t.name = e.task), 2592000) * interval '1 second'
    from gone e cross join lateral (select e.payload::jsonb as p offset 0) x returning id
  )
  select array_agg(id) into ended from stored;
  if ended is not null then perform pg_notify('rowbeat_runs', case when cardinality(ended) > 100 then '*' else array_to_string(ended, ',') end); end if;
  return coalesce(cardinality(ended), 0);
end $$;

-- As in 0004, and whoever ends gives its permits back.
create or replace function rowbeat.end_waiting_v2(run uuid, why text, words text, until timestamptz) returns boolean language plpgsql as $$
begin
  with gone as (
    delete from rowbeat_queue._private_jobs j where j.key = run::text and j.locked_at is null and (until is null or j.created_at <= until)
    returning j.key::uuid as id, (select t.identifier from rowbeat_queue._private_tasks t where t.id = j.task_id) as identifier, j.priority, j.payload, j.created_at, j.run_at
  ), unparked as (
    delete from rowbeat.parked p where p.id = run and (until is null or p.created_at <= until)
    returning p.id, p.queue || ':' || p.task as identifier, p.priority, p.payload, p.created_at, coalesce(p.release_at, p.parked_at) as run_at
  ), ended as (
    select * from gone union all select * from unparked
  ), freed as (
    delete from rowbeat.permits x using ended e where x.run_id = e.id returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct gate from freed
  ), reported as (
    delete from rowbeat.progress g using ended e where g.run_id = e.id returning g.*
  )
  insert into rowbeat.results (id, task, queue, state, reason, priority, input, error, progress, attempt, attempts_max, redeliveries, created_at, run_at, finished_at,
    expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, keep_until)
  select e.id, substr(e.identifier, strpos(e.identifier, ':') + 1), split_part(e.identifier, ':', 1), 'REVOKED', why, e.priority, p->'input', rowbeat.revoked_error_v1(words, null),
    case when g.run_id is not null then jsonb_build_object('current', g.current, 'total', g.total, 'percent', round((100 * g.current / nullif(g.total, 0))::numeric, 1),
      'meta', g.meta, 'at', to_char(g.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
    coalesce((p->>'attempt')::int, 0), coalesce((p->>'attempts_max')::int, 1), coalesce((p->>'redeliveries')::int, 0), e.created_at, e.run_at, clock_timestamp(),
    (p->>'expires_at')::timestamptz, (p->>'time_limit')::float8, (p->>'soft_time_limit')::float8, p->>'unique_key',
    case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) end, p->'headers',
    (p->>'parent')::uuid, (p->>'retry_of')::uuid, p->>'schedule', (p->>'due_at')::timestamptz,
    clock_timestamp() + coalesce((p->>'retention')::float8, (select t.retention from rowbeat.tasks t where t.name = substr(e.identifier, strpos(e.identifier, ':') + 1)), 2592000)
      * interval '1 second'
  from ended e left join reported g on g.run_id = e.id cross join lateral (select e.payload::jsonb as p) x;
  if not found then return false; end if;
  perform pg_notify('rowbeat_runs', run::text);
  return true;
end $$;

create function rowbeat.limit_of_v1(which text) returns table (concurrency integer, strategy text, per_second float8, burst float8) language sql stable as $$
  select case when left(which, 1) = 'c' then coalesce(d.concurrency, case when split_part(which, ':', 4) <> '' then 1 end) end, coalesce(d.concurrency_strategy, 'wait'),
    rowbeat.rate_v1(d.rate), rowbeat.burst_v1(d.rate, d.rate_burst)
  from (select 1) one left join rowbeat.tasks d on d.name = split_part(which, ':', 3) where split_part(which, ':', 2) = 't'
  union all
  select q.concurrency, 'wait', rowbeat.rate_v1(q.rate), rowbeat.burst_v1(q.rate, q.rate_burst)
  from (select 1) one left join rowbeat.queues q on q.name = split_part(which, ':', 3) where split_part(which, ':', 2) = 'q'
$$;
comment on function rowbeat.limit_of_v1 is 'What a gate lets pass as of now; null is everything. A key without a limit of its task is one at a time.';

-- What a limit with another strategy than to wait does with those that find no room. cancel_oldest: the newest stay; holders are revoked, the oldest first.
create function rowbeat.crowd_out_v1(which text, limited integer, room integer, strategy text) returns void language plpgsql as $$
declare
  waiting integer; holder uuid;
begin
  if strategy = 'skip' then
    perform rowbeat.end_parked_v1(array(select p.id from rowbeat.parked p where p.gate = which order by p.priority, p.id offset room limit 1000 for update skip locked), 'SUCCESS', 'skipped');
    return;
  end if;
  perform rowbeat.end_parked_v1(array(select p.id from rowbeat.parked p where p.gate = which order by p.id desc offset limited limit 1000 for update skip locked), 'REVOKED', 'replaced');
  waiting := (select count(*) from rowbeat.parked p where p.gate = which);
  for holder in select x.run_id from rowbeat.permits x where x.gate = which and not exists (select from rowbeat.revocations v where v.run_id = x.run_id)
      order by x.run_id limit greatest(0, waiting - room - (select count(*) from rowbeat.permits x join rowbeat.revocations v using (run_id) where x.gate = which)) loop
    if not rowbeat.end_waiting_v2(holder, 'replaced', 'a newer run took its place', null) then
      perform rowbeat.revoke_v1(holder, true, 'a newer run took its place');
    end if;
  end loop;
end $$;

-- Lets through one gate who may pass; answers how many came into the queue, and whether there may be more at once. False is a gate that another has.
create function rowbeat.open_gate_v1(which text, most integer, out moved integer, out more boolean) language plpgsql as $$
declare
  l record; room integer; bucket rowbeat.gates; picked uuid[]; bells text[]; bell text; filled float8; gained float8; most_held float8;
begin
  moved := 0; more := false;
  delete from rowbeat.knocks k where k.gate = which;
  select * into l from rowbeat.limit_of_v1(which);
  if left(which, 1) = 'c' then
    room := case when l.concurrency is null then most else least(most, greatest(0, l.concurrency - (select count(*) from rowbeat.permits x where x.gate = which))) end;
    if l.strategy <> 'wait' and l.concurrency is not null then perform rowbeat.crowd_out_v1(which, l.concurrency, room, l.strategy); end if;
  elsif l.per_second is null then
    room := most;
  else
    insert into rowbeat.gates (key) values (which) on conflict do nothing;
    select * into bucket from rowbeat.gates g where g.key = which;
    gained := l.per_second * greatest(0, extract(epoch from clock_timestamp() - bucket.filled_at));
    -- A fraction more than the bucket holds, or each look that is late by a millisecond loses it; it never makes a whole run.
    most_held := l.burst + 0.99;
    if bucket.ready_at is not null then
      -- Somebody waited all the time, so a late look is no quiet time: what came meanwhile is not spent at once but over the next
      -- seconds, or starts that are unevenly late themselves would go above the rate.
      filled := bucket.tokens + gained + least(bucket.owed, gained * 0.04);
      most_held := least(most_held, greatest(1, l.per_second * 0.02) + 0.99);
      bucket.owed := least(l.per_second, bucket.owed - least(bucket.owed, gained * 0.04) + greatest(0, filled - most_held));
    else
      filled := bucket.tokens + gained;
      bucket.owed := 0;
    end if;
    filled := least(most_held, filled);
    room := least(most, l.burst, floor(filled + 1e-6));
    bucket.filled_at := clock_timestamp();
  end if;
  picked := case when room > 0 then array(select p.id from rowbeat.parked p where p.gate = which order by p.priority, p.id limit room for update skip locked) else '{}' end;
  if picked <> '{}' then
    with pick as materialized (
      select p.id, p.queue, q.paused_at is not null as paused, rowbeat.gate_after_v1(p.task, p.queue, p.payload, which) as next,
        (select t.id from rowbeat_queue._private_tasks t where t.identifier = p.queue || ':' || p.task) as kind
      from rowbeat.parked p left join rowbeat.queues q on q.name = p.queue where p.id = any (picked)
    ), stopped as (
      update rowbeat.parked p set reason = 'paused', gate = null from pick k where k.id = p.id and k.paused
    ), passed as (
      insert into rowbeat.permits (run_id, gate) select k.id, which from pick k where not k.paused and left(which, 1) = 'c' and l.concurrency is not null on conflict do nothing
    ), onward as (
      update rowbeat.parked p set reason = rowbeat.reason_v1(k.next), gate = k.next from pick k where k.id = p.id and not k.paused and k.next is not null
    ), knocked as (
      insert into rowbeat.knocks (gate) select distinct k.next from pick k where not k.paused and k.next is not null
    ), gone as (
      delete from rowbeat.parked p using pick k where k.id = p.id and not k.paused and k.next is null and k.kind is not null returning p.*, k.kind
    ), hot as (
      insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
      select g.kind, (g.payload::jsonb || '{"gated": true}')::text::json, g.priority, coalesce(g.release_at, g.created_at), 32767, g.id::text, g.created_at, now()
      from gone g order by g.priority, g.id
    )
    select (select count(*) from gone), (select array_agg(distinct g.queue) from gone g), exists (select from pick k where k.paused or k.next is not null)
    into moved, bells, more;
    delete from rowbeat.permits x where x.run_id = any (picked) and exists (select from rowbeat.parked p where p.id = x.run_id and p.reason = 'paused');
    foreach bell in array coalesce(bells, '{}') loop perform rowbeat.ring_v1(bell); end loop;
  end if;
  if left(which, 1) = 'r' and l.per_second is not null then
    filled := filled - cardinality(picked);
    update rowbeat.gates g set tokens = filled, owed = bucket.owed, filled_at = bucket.filled_at,
      ready_at = case when exists (select from rowbeat.parked p where p.gate = which)
        then bucket.filled_at + greatest(0.005, (1 - filled) / l.per_second) * interval '1 second' end
    where g.key = which;
  elsif cardinality(picked) = most or (more and exists (select from rowbeat.parked p where p.gate = which)) then
    insert into rowbeat.knocks (gate) values (which);
    more := true;
  end if;
end $$;

-- A dispatcher's look at the gates: those that somebody knocked at, those with a token by now. Answers how many runs came into the queue, whether to
-- look again at once, and in how many milliseconds the next token comes.
create function rowbeat.open_gates_v1(most integer, out moved integer, out more boolean, out next_ms float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  which text; opened record; seen integer := 0;
begin
  moved := 0; more := false;
  for which in
    select x.gate from (
      (select distinct k.gate from (select gate from rowbeat.knocks limit 2000) k limit 50)
      union (select g.key from rowbeat.gates g where g.ready_at <= clock_timestamp() order by g.ready_at limit 50)) x order by 1
  loop
    continue when not pg_try_advisory_xact_lock(hashtextextended('rowbeat.gate:' || which, 0));
    select * into opened from rowbeat.open_gate_v1(which, most);
    moved := moved + opened.moved;
    more := more or opened.more;
    seen := seen + 1;
  end loop;
  more := more or seen >= 50;
  next_ms := (select extract(epoch from min(g.ready_at) - clock_timestamp())::float8 * 1000 from rowbeat.gates g where g.ready_at is not null);
end $$;

-- The net: permits of runs that ended by a way that leaves no knock (a sweep, an older release), and buckets that nobody used for a day.
create function rowbeat.reclaim_permits_v1() returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  freed integer;
begin
  with stale as (
    delete from rowbeat.permits x where x.at < clock_timestamp() - interval '1 second'
      and not exists (select from rowbeat_queue._private_jobs j where j.key = x.run_id::text)
      and not exists (select from rowbeat.parked p where p.id = x.run_id and p.gate is not null) returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct gate from stale
  )
  select count(*) into freed from stale;
  delete from rowbeat.gates g where g.ready_at is null and g.filled_at < clock_timestamp() - interval '1 day';
  delete from rowbeat.unique_keys u where u.until_at < clock_timestamp() and not rowbeat.is_live_v1(u.run_id);
  return freed;
end $$;

-- ---------------------------------------------------------------- queues that are paused, limits that are set

-- Takes what waits in the queue to where it now belongs: paused, or at a gate. What a worker has already goes on, and counts.
create function rowbeat.hold_v1(named text, of_task text) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  kinds integer[] := array(select t.id from rowbeat_queue._private_tasks t
    where (named is null or split_part(t.identifier, ':', 1) = named) and (of_task is null or substr(t.identifier, strpos(t.identifier, ':') + 1) = of_task));
  held integer;
begin
  if kinds = '{}' then return 0; end if;
  -- What is claimed is only read: its row belongs to whoever ends it, also while the caller's transaction stays open.
  insert into rowbeat.permits (run_id, gate)
  select j.key::uuid, g from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id
  cross join lateral (select substr(t.identifier, strpos(t.identifier, ':') + 1) as task, split_part(t.identifier, ':', 1) as queue) n
  left join rowbeat.tasks d on d.name = n.task left join rowbeat.queues q on q.name = n.queue
  cross join lateral unnest(rowbeat.gates_v1(d, q, n.task, n.queue, j.payload->>'concurrency_key', null)) g
  where j.task_id = any (kinds) and j.locked_at is not null and left(g, 1) = 'c' on conflict do nothing;
  with found as materialized (
    select j.id, substr(t.identifier, strpos(t.identifier, ':') + 1) as task, split_part(t.identifier, ':', 1) as queue, j.payload
    from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id where j.task_id = any (kinds) and j.locked_at is null for update of j skip locked
  ), placed as materialized (
    select f.id, f.task, f.queue, q.paused_at is not null as paused, rowbeat.gate_after_v1(f.task, f.queue, f.payload, null) as gate
    from found f left join rowbeat.queues q on q.name = f.queue
  ), gone as (
    delete from rowbeat_queue._private_jobs j using placed p where j.id = p.id and (p.paused or (p.gate is not null and j.payload->>'gated' is null))
    returning p.task, p.queue, p.paused, p.gate, j.key::uuid as run, j.priority, j.payload, j.created_at
  ), freed as (
    delete from rowbeat.permits x using gone g where x.run_id = g.run returning x.gate
  ), kept as (
    insert into rowbeat.parked (id, reason, task, queue, priority, payload, created_at, gate)
    select g.run, case when g.paused then 'paused' else rowbeat.reason_v1(g.gate) end, g.task, g.queue, g.priority, (g.payload::jsonb - 'gated')::text::json, g.created_at, case when not g.paused then g.gate end
    from gone g
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct k.gate from (select f.gate from freed f union select g.gate from gone g where not g.paused) k
  )
  select count(*) into held from gone;
  if held > 0 then perform pg_notify('rowbeat_parked', ''); end if;
  return held;
end $$;
comment on function rowbeat.hold_v1 is 'Parks what waits in the queue and may not run now (its queue is paused, it has a limit); answers how many.';

create function rowbeat.hold_paused_v1() returns integer language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(rowbeat.hold_v1(q.name, null)), 0)::integer from rowbeat.queues q where q.paused_at is not null
$$;

create function rowbeat.resume_due_v1() returns integer language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with due as (
    update rowbeat.queues set paused_at = null where name = any (array(select q.name from rowbeat.queues q where q.resume_at <= clock_timestamp() for update skip locked)) returning 1
  ) select count(*)::integer from due
$$;

-- A plain UPDATE of rowbeat.queues pauses, resumes and limits, whoever writes it.
create function rowbeat.guard_queue_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (old.paused_at is not null and new.paused_at is null) or (old.draining_at is not null and new.draining_at is null) then
    -- What waited goes first, in its order: as good as it or worse comes behind it.
    new.overflow := (select p.priority from rowbeat.parked p where p.queue = new.name and p.reason in ('overflow', 'paused') order by p.priority, p.id limit 1);
  end if;
  if new.paused_at is null then
    new.pause_reason := null;
    new.resume_at := null;
  elsif new.resume_at <= clock_timestamp() and old.paused_at is null then
    raise exception 'resume_at: must be ahead' using errcode = 'invalid_parameter_value';
  end if;
  return new;
end $$;
create trigger guard_queue before update of paused_at, draining_at, resume_at, pause_reason on rowbeat.queues
  for each row when (old.paused_at is distinct from new.paused_at or old.draining_at is distinct from new.draining_at or old.resume_at is distinct from new.resume_at
    or old.pause_reason is distinct from new.pause_reason) execute function rowbeat.guard_queue_v1();

create function rowbeat.tell_queue_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (old.paused_at is null) <> (new.paused_at is null) or (old.draining_at is null) <> (new.draining_at is null) then
    if new.paused_at is not null then perform rowbeat.hold_v1(new.name, null); end if;
    perform pg_notify('rowbeat_control', '');
    perform pg_notify('rowbeat_parked', '');
  end if;
  if old.concurrency is distinct from new.concurrency or old.rate is distinct from new.rate or old.rate_burst is distinct from new.rate_burst then
    if (old.concurrency is null and new.concurrency is not null) or (old.rate is null and new.rate is not null) then perform rowbeat.hold_v1(new.name, null); end if;
    insert into rowbeat.knocks (gate) values ('c:q:' || new.name), ('r:q:' || new.name);
    perform pg_notify('rowbeat_parked', '');
  end if;
  return null;
end $$;
create trigger tell_queue after update of paused_at, draining_at, concurrency, rate, rate_burst on rowbeat.queues
  for each row when (old.paused_at is distinct from new.paused_at or old.draining_at is distinct from new.draining_at or old.concurrency is distinct from new.concurrency
    or old.rate is distinct from new.rate or old.rate_burst is distinct from new.rate_burst) execute function rowbeat.tell_queue_v1();

create trigger tell_new_queue after insert on rowbeat.queues
  for each row when (new.paused_at is not null or new.concurrency is not null or new.rate is not null) execute function rowbeat.tell_queue_v1();

-- Whatever waits because of the row would wait for ever without it.
create function rowbeat.guard_queue_removal_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from rowbeat.parked p where p.queue = old.name and p.reason in ('overflow', 'paused', 'rate', 'concurrency'))
      or exists (select from rowbeat_queue._private_jobs j where j.task_id = any (array(
        select t.id from rowbeat_queue._private_tasks t where split_part(t.identifier, ':', 1) = old.name))) then
    raise exception 'queue "%" has runs that wait or run: purge it, or move them to another', old.name using errcode = 'object_in_use';
  end if;
  return old;
end $$;
create trigger guard_queue_removal before delete on rowbeat.queues for each row execute function rowbeat.guard_queue_removal_v1();

create function rowbeat.tell_task_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (tg_op = 'INSERT' or old.concurrency is null and new.concurrency is not null or old.rate is null and new.rate is not null) then perform rowbeat.hold_v1(null, new.name); end if;
  insert into rowbeat.knocks (gate) select distinct p.gate from rowbeat.parked p
    where p.gate in ('c:t:' || new.name, 'r:t:' || new.name) or p.gate between 'c:t:' || new.name || ':' and 'c:t:' || new.name || ';' or p.gate between 'r:t:' || new.name || ':' and 'r:t:' || new.name || ';';
  perform pg_notify('rowbeat_parked', '');
  return null;
end $$;
create trigger tell_task_limits after update of concurrency, concurrency_strategy, rate, rate_burst on rowbeat.tasks
  for each row when (old.concurrency is distinct from new.concurrency or old.rate is distinct from new.rate or old.rate_burst is distinct from new.rate_burst
    or old.concurrency_strategy <> new.concurrency_strategy) execute function rowbeat.tell_task_v1();
create trigger tell_new_task_limits after insert on rowbeat.tasks
  for each row when (new.concurrency is not null or new.rate is not null) execute function rowbeat.tell_task_v1();

-- A queue that is served, or that something was enqueued on, is known; its row may still have to be made.
create function rowbeat.know_queue_v1(named text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from rowbeat.queues q where q.name = named) then return; end if;
  if not exists (select from rowbeat_queue._private_tasks t where split_part(t.identifier, ':', 1) = named)
      and not exists (select from rowbeat.workers w where w.kind = 'worker' and w.queues ? named) then
    raise exception 'queue "%" is unknown: it was not defined, no process serves it and nothing was enqueued on it', named using errcode = 'no_data_found';
  end if;
  insert into rowbeat.queues (name) values (named) on conflict do nothing;
end $$;

create function rowbeat.pause_queue(name text, reason text default null, resume_at timestamptz default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  if resume_at <= clock_timestamp() then raise exception 'resume_at: must be ahead' using errcode = 'invalid_parameter_value'; end if;
  perform rowbeat.know_queue_v1(name);
  update rowbeat.queues q set paused_at = coalesce(q.paused_at, clock_timestamp()), pause_reason = reason, resume_at = pause_queue.resume_at where q.name = pause_queue.name;
end $$;
comment on function rowbeat.pause_queue is 'Stops a queue: what waits and what comes stays, what runs goes on. resume_at: when it goes on by itself. Errors: P0002 unknown, 22023 resume_at in the past.';

create function rowbeat.resume_queue(name text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rowbeat.know_queue_v1(name);
  update rowbeat.queues q set paused_at = null, draining_at = null where q.name = resume_queue.name;
end $$;
comment on function rowbeat.resume_queue is 'Ends a pause or a drain; what waited goes first, in its order. Errors: P0002 unknown.';

create function rowbeat.drain_queue(name text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rowbeat.know_queue_v1(name);
  update rowbeat.queues q set draining_at = coalesce(q.draining_at, clock_timestamp()) where q.name = drain_queue.name and q.paused_at is null;
  if not found then raise exception 'queue "%" is paused: resume it first', name using errcode = 'object_not_in_prerequisite_state'; end if;
end $$;
comment on function rowbeat.drain_queue is 'What waits is worked off; what comes from now on waits as paused until the queue is resumed. Errors: P0002 unknown, 55000 it is paused.';

-- No plan but by an index: what waits is counted up to `most`, and a queue may have a million.
create function rowbeat.count_waiting_v1(named text, most integer) returns table (place text, n integer, oldest timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
begin
  return query select 'hot', count(*)::integer, min(x.created_at) from (select j.created_at from rowbeat_queue._private_jobs j
    where j.is_available and j.task_id = any (array(select t.id from rowbeat_queue._private_tasks t where split_part(t.identifier, ':', 1) = named)) limit most) x;
  foreach place in array '{overflow,paused,rate,concurrency,flow,eta,retry,snooze}'::text[] loop
    n := (select count(*) from (select from rowbeat.parked p where p.reason = place and p.queue = named limit most) x);
    -- The head of each priority is its oldest: of the backlog, or of those that wait for the queue's own limit.
    oldest := case when n = 0 then null
      when place in ('overflow', 'paused') then (with recursive head as (
        (select p.priority, p.created_at from rowbeat.parked p where p.queue = named and p.reason in ('overflow', 'paused') order by p.priority, p.id limit 1)
        union all
        select x.priority, x.created_at from head h cross join lateral (select p.priority, p.created_at from rowbeat.parked p
          where p.queue = named and p.reason in ('overflow', 'paused') and p.priority > h.priority order by p.priority, p.id limit 1) x
        ) select min(h.created_at) from head h)
      when place in ('rate', 'concurrency') then (with recursive head as (
        (select p.priority, p.created_at from rowbeat.parked p where p.gate = left(place, 1) || ':q:' || named order by p.priority, p.id limit 1)
        union all
        select x.priority, x.created_at from head h cross join lateral (select p.priority, p.created_at from rowbeat.parked p
          where p.gate = left(place, 1) || ':q:' || named and p.priority > h.priority order by p.priority, p.id limit 1) x
        ) select min(h.created_at) from head h) end;
    return next;
  end loop;
end $$;
comment on function rowbeat.count_waiting_v1 is 'What waits on a queue, by place; counted up to `most`. oldest: of those that wait for a worker or for the queue itself.';

do $$ declare f regprocedure; begin
  for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'rowbeat'::regnamespace loop execute format('revoke execute on function %s from public', f); end loop;
end $$;
