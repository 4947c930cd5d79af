-- Enqueue, for every language: rowbeat.enqueue and rowbeat.enqueue_many, thin frozen names over versioned functions
-- (a version is never edited, so two releases can run at once). All are SECURITY DEFINER with a fixed search_path:
-- a role with EXECUTE and nothing else can enqueue and cannot read the queue.

create function rowbeat.placement_v1(eta timestamptz, at timestamptz, paused_at timestamptz, overflow smallint, priority integer)
returns text language sql immutable parallel safe as $$
  select case when eta > at then 'eta' when paused_at is not null then 'paused' when overflow <= priority then 'overflow' end
$$;
comment on function rowbeat.placement_v1 is 'The one placement rule: why a run must be parked, or null when it may run now.';

create function rowbeat.seconds_v1(duration jsonb) returns float8 language sql immutable parallel safe as $$
  select case jsonb_typeof(duration)
    when 'number' then case when duration::numeric between -1e12 and 1e12 then duration::float8 end
    when 'string' then case when duration #>> '{}' ~ '^(\d{1,15}(\.\d{1,9})? ?(ms|milliseconds?)|\d{1,12}(\.\d{1,9})? ?(s|seconds?)|\d{1,9}(\.\d{1,9})? ?(m|h|minutes?|hours?)|\d{1,8}(\.\d{1,9})? ?(d|w|days?|weeks?))$'
      then extract(epoch from (duration #>> '{}')::interval)::float8 end
  end
$$;
comment on function rowbeat.seconds_v1 is 'Seconds of a duration: a number of seconds or "<n> <unit>"; null when it is neither, or longer than any interval.';

create function rowbeat.instant_v1(value text) returns timestamptz language plpgsql stable parallel safe as $$
begin
  -- No "tomorrow", no "infinity", and no time without an offset, which would mean something else in every session.
  if value !~ '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d(:?\d\d(:\d\d)?)?)$' then return null; end if;
  return value::timestamptz;
exception when data_exception then return null;
end $$;
comment on function rowbeat.instant_v1 is 'The instant a text names, with its offset from UTC, or null.';

create function rowbeat.invalid_retry_v1(policy jsonb) returns text language plpgsql stable parallel safe as $$
declare
  field text; steps jsonb := policy->'backoff';
begin
  if jsonb_typeof(policy) <> 'object' then return 'must be an object with backoff, base, cap, jitter'; end if;
  select k into field from jsonb_object_keys(policy) k where k <> all ('{backoff,base,cap,jitter}') limit 1;
  if found then return 'has "' || field || '", which is no part of a retry policy (backoff, base, cap, jitter)'; end if;
  foreach field in array '{base,cap}'::text[] loop
    if policy->>field is not null and coalesce(rowbeat.seconds_v1(policy->field), -1) not between 0 and 3155760000 then
      return field || ' must be a duration such as "2s"'; end if;
  end loop;
  if policy->>'jitter' is not null and jsonb_typeof(policy->'jitter') <> 'boolean' then return 'jitter must be true or false'; end if;
  if policy->>'backoff' is null or steps #>> '{}' in ('constant', 'linear', 'exponential') then return null; end if;
  if jsonb_typeof(steps) = 'array' and steps <> '[]' and not exists (select from jsonb_array_elements(steps) step
      where coalesce(rowbeat.seconds_v1(step), -1) not between 0 and 3155760000) then return null; end if;
  return 'backoff must be constant, linear, exponential or a list of durations';
end $$;

create function rowbeat.invalid_run_v1(v jsonb) returns text language plpgsql stable parallel safe as $$
declare
  known text[] := '{task,input,queue,priority,delay,eta,expires,id,unique_key,on_conflict,tags,headers,attempts_max,retry,time_limit,soft_time_limit,concurrency_key,rate_key,ignore_result,parent,retry_of,schedule,due_at,retention}';
  unknown text := case when jsonb_typeof(v) = 'object' then (select k from jsonb_object_keys(v - known) k limit 1) end;
  field text;
begin
  if jsonb_typeof(v) <> 'object' then return 'run: must be an object such as {"task": "demo.add", "input": {}}'; end if;
  if v->>'task' is null then return 'task: is missing; name the task to run'; end if;
  if jsonb_typeof(v->'task') <> 'string' then return 'task: must be text'; end if;
  if v->>'task' !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$' then return 'task: must match ^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'; end if;
  if unknown is not null then return unknown || ': is not a field of a run; known are ' || array_to_string(known, ', '); end if;
  if v->>'queue' is not null and (v->>'queue') !~ '^[a-z][a-z0-9_-]{0,31}$' then return 'queue: must match ^[a-z][a-z0-9_-]{0,31}$'; end if;
  if v->>'priority' is not null and (jsonb_typeof(v->'priority') <> 'number' or (v->>'priority')::numeric not between -32768 and 32767
      or (v->>'priority')::numeric % 1 <> 0) then return 'priority: must be a whole number from -32768 to 32767, lower runs first'; end if;
  -- Text of jsonb has blanks that were not sent, half as much again at most: what is within 1 MiB as it was sent is never refused.
  if pg_column_size(v->'input') > 1048576 and octet_length((v->'input')::text) > 1572864 then return 'input: is larger than 1 MiB; store it elsewhere and pass a reference'; end if;
  foreach field in array '{input,headers}'::text[] loop
    if v->field @? '$.**{65}' then return field || ': is nested deeper than 64 levels; flatten it'; end if;
  end loop;
  foreach field in array '{delay,time_limit,soft_time_limit,retention}'::text[] loop
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
  foreach field in array '{unique_key,concurrency_key,rate_key}'::text[] loop
    if v->>field is not null and (jsonb_typeof(v->field) <> 'string' or length(v->>field) not between 1 and 512) then
      return field || ': must be text of 1 to 512 characters'; end if;
  end loop;
  if coalesce(v->>'on_conflict', 'keep') not in ('keep', 'replace', 'reject') then return 'on_conflict: must be keep, replace or reject'; end if;
  if v->>'tags' is not null and (jsonb_typeof(v->'tags') <> 'array' or jsonb_array_length(v->'tags') > 20
      or exists (select from jsonb_array_elements(v->'tags') t where jsonb_typeof(t) <> 'string' or length(t #>> '{}') not between 1 and 64)) then
    return 'tags: must be at most 20 texts of 1 to 64 characters'; end if;
  if v->>'headers' is not null and (jsonb_typeof(v->'headers') <> 'object' or pg_column_size(v->'headers') > 65536) then return 'headers: must be an object of at most 64 KiB'; end if;
  if v->>'retry' is not null and rowbeat.invalid_retry_v1(v->'retry') is not null then return 'retry: ' || rowbeat.invalid_retry_v1(v->'retry'); end if;
  if v->>'attempts_max' is not null and (jsonb_typeof(v->'attempts_max') <> 'number' or (v->>'attempts_max')::numeric not between 1 and 1000000
      or (v->>'attempts_max')::numeric % 1 <> 0) then return 'attempts_max: must be a whole number from 1 to 1000000'; end if;
  if v->>'ignore_result' is not null and jsonb_typeof(v->'ignore_result') <> 'boolean' then return 'ignore_result: must be true or false'; end if;
  if rowbeat.seconds_v1(v->'soft_time_limit') > rowbeat.seconds_v1(v->'time_limit') then return 'soft_time_limit: must not be longer than time_limit'; end if;
  return null;
end $$;

-- One body of POST /v1/runs -> what is wrong with it ("field: why"), or null. The common run, a task and its input, costs a
-- few comparisons here: its name is checked where it is first met (the identifier's making), not a million times. Less than
-- 500 bytes cannot hold 65 levels.
create function rowbeat.invalid_v1(v jsonb) returns text language sql stable parallel safe as $$
  select case when jsonb_typeof(v) = 'object' and jsonb_typeof(v->'task') = 'string' and v - '{task,input}'::text[] = '{}'::jsonb
      and pg_column_size(v) < 1048576 and (pg_column_size(v) < 500 or not v @? '$.**{66}')
    then null else rowbeat.invalid_run_v1(v) end
$$;

create function rowbeat.is_known_v1(run uuid) returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from rowbeat_queue._private_jobs where key = run::text)
      or exists (select from rowbeat.parked where id = run)
      or exists (select from rowbeat.results where id = run)
$$;

create function rowbeat.is_live_v1(run uuid) returns boolean language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from rowbeat_queue._private_jobs where key = run::text) or exists (select from rowbeat.parked where id = run)
$$;

-- Ends a run that waits (parked, or queued and not claimed) in one statement; false when it is running, finished or unknown.
create function rowbeat.end_waiting_v1(run uuid, why text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  with gone as (
    delete from rowbeat_queue._private_jobs j where j.key = run::text and j.locked_at is null
    returning j.key::uuid as id, (select split_part(t.identifier, ':', 1) from rowbeat_queue._private_tasks t where t.id = j.task_id) as queue,
      (select split_part(t.identifier, ':', 2) from rowbeat_queue._private_tasks t where t.id = j.task_id) as task, j.priority, j.payload, j.created_at, j.run_at
  ), unparked as (
    delete from rowbeat.parked p where p.id = run returning p.id, p.queue, p.task, p.priority, p.payload, p.created_at, coalesce(p.release_at, p.parked_at) as run_at
  ), ended as (
    select * from gone union all select * from unparked
  )
  insert into rowbeat.results (id, task, queue, state, reason, priority, input, attempt, attempts_max, redeliveries, created_at, run_at, finished_at,
    expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, keep_until)
  select e.id, e.task, e.queue, 'REVOKED', why, e.priority, p->'input', coalesce((p->>'attempt')::int, 0), coalesce((p->>'attempts_max')::int, 1),
    coalesce((p->>'redeliveries')::int, 0), e.created_at, e.run_at, clock_timestamp(), (p->>'expires_at')::timestamptz, (p->>'time_limit')::float8,
    (p->>'soft_time_limit')::float8, p->>'unique_key', case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) end, p->'headers',
    (p->>'parent')::uuid, (p->>'retry_of')::uuid, p->>'schedule', (p->>'due_at')::timestamptz,
    clock_timestamp() + coalesce((p->>'retention')::float8, 2592000) * interval '1 second'
  from ended e, lateral (select e.payload::jsonb as p) x;
  if not found then return false; end if;
  perform pg_notify('rowbeat_runs', run::text);
  return true;
end $$;

-- Runs that bring an id or a unique key: those that stand already get "kept" (the standing run's id), the rest an id.
create function rowbeat.resolve_clashes_v1(runs jsonb) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  r record; own uuid; holder uuid; digest bytea; item jsonb;
begin
  -- In one order everywhere, ids first, so that two callers with crossed ids or keys wait for each other instead of dying of a deadlock.
  perform pg_advisory_xact_lock(hashtextextended('rowbeat.run:' || x.own, 0))
  from (select distinct (v->>'id')::uuid as own from jsonb_array_elements(runs) v where v->>'id' is not null order by 1) x;
  for r in select ord - 1 as n, v from jsonb_array_elements(runs) with ordinality x(v, ord)
           where v->>'id' is not null or v->>'unique_key' is not null order by v->>'task', v->>'unique_key', v->>'id' loop
    item := r.v;
    if item->>'id' is not null then
      own := (item->>'id')::uuid;
      if rowbeat.is_known_v1(own) or exists (select from jsonb_array_elements(runs) with ordinality y(w, o)
          where o - 1 < r.n and w->>'id' is not null and (w->>'id')::uuid = own) then
        runs := jsonb_set(runs, array[r.n::text], item || jsonb_build_object('kept', own));
        continue;
      end if;
    else
      own := rowbeat.uuid7();
    end if;
    if item->>'unique_key' is not null then
      digest := sha256(convert_to((item->>'task') || ':' || (item->>'unique_key'), 'UTF8'));
      insert into rowbeat.unique_keys as u (hash, run_id) values (digest, own) on conflict (hash) do update set run_id = u.run_id
      returning u.run_id into holder;
      if holder <> own and (rowbeat.is_live_v1(holder) or exists (select from jsonb_array_elements(runs) w where w->>'id' = holder::text and not w ? 'kept')) then
        if item->>'on_conflict' = 'reject' then
          raise exception 'unique_key: "%" is held by run % of task %, which has not finished', item->>'unique_key', holder, item->>'task'
            using errcode = 'unique_violation', detail = holder::text, hint = 'Wait for it, use another unique_key, or on_conflict "keep" or "replace".';
        elsif item->>'on_conflict' is distinct from 'replace' or not rowbeat.end_waiting_v1(holder, 'replaced') then
          runs := jsonb_set(runs, array[r.n::text], item || jsonb_build_object('kept', holder));
          continue;
        end if;
      end if;
      update rowbeat.unique_keys u set run_id = own where u.hash = digest and u.run_id <> own;
    end if;
    runs := jsonb_set(runs, array[r.n::text], item || jsonb_build_object('id', own));
  end loop;
  return runs;
end $$;

-- The overflow flag of a queue whose hot rows have passed its limit; asked by one enqueue of n runs with probability n / 2,500.
create function rowbeat.mark_overflow_v1(named text, coming integer, best integer) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  limited integer := coalesce((select hot_limit from rowbeat.queues where name = named), 5000);
  threshold integer;
begin
  -- Marked already, for runs as good as these: nothing to find out.
  if exists (select from rowbeat.queues q where q.name = named and q.overflow <= best) then return; end if;
  select j.priority into threshold from rowbeat_queue._private_jobs j
  where j.is_available and j.task_id = any (array(select t.id from rowbeat_queue._private_tasks t where t.identifier like replace(named, '_', '\_') || ':%'))
  order by j.priority, j.run_at offset greatest(limited - 1, 0) limit 1;
  if threshold is null and coming > limited then threshold := best; end if;
  if threshold is null then return; end if;
  -- Even `on conflict do nothing` waits for whoever is changing the row.
  if not exists (select from rowbeat.queues where name = named) then insert into rowbeat.queues (name) values (named) on conflict do nothing; end if;
  -- Only where it changes something, and never waiting: the row stays locked as long as the caller's transaction is open.
  update rowbeat.queues set overflow = threshold
  where name = (select q.name from rowbeat.queues q where q.name = named and (q.overflow is null or q.overflow > threshold) for update skip locked);
end $$;

create function rowbeat.payload_v1(v jsonb, attempts_max integer, time_limit float8, soft_time_limit float8, at timestamptz)
returns text language sql stable parallel safe as $$
  select case when attempts_max is null and time_limit is null and soft_time_limit is null and v - '{task,input,queue,priority}'::text[] = '{}'::jsonb
    then '{"input": ' || coalesce((v->'input')::text, '{}') || '}'
    else (jsonb_strip_nulls(jsonb_build_object('attempts_max', attempts_max, 'time_limit', time_limit, 'soft_time_limit', soft_time_limit))
      || (v - '{task,input,queue,priority,eta,delay,id,kept,on_conflict,expires,attempts_max,time_limit,soft_time_limit,retention,headers}'::text[])
      || case when jsonb_typeof(v->'headers') = 'object' then jsonb_build_object('headers', v->'headers') else '{}'::jsonb end
      || jsonb_strip_nulls(jsonb_build_object('attempts_max', v->'attempts_max', 'time_limit', rowbeat.seconds_v1(v->'time_limit'), 'soft_time_limit', rowbeat.seconds_v1(v->'soft_time_limit'),
           'retention', rowbeat.seconds_v1(v->'retention'),
           'expires_at', coalesce(at + rowbeat.seconds_v1(v->'expires') * interval '1 second', (v->>'expires')::timestamptz)))
      || jsonb_build_object('input', coalesce(v->'input', '{}'::jsonb)))::text end
$$;
comment on function rowbeat.payload_v1 is 'JSON text of what a run carries wherever it is: input, and whatever the caller or the task set beside the columns of its place.';

create function rowbeat.placed_v1(runs jsonb, at timestamptz)
returns table (ordinal bigint, own text, task text, queue text, priority smallint, eta timestamptz, payload text, task_id integer, reason text)
language sql stable as $$
  select e.ordinal, e.v->>'id', e.v->>'task', e.queue, e.priority, e.eta, e.payload, t.id, rowbeat.placement_v1(e.eta, at, q.paused_at, q.overflow, e.priority)
  from (
    select x.ordinal, x.v, coalesce(x.v->>'queue', d.queue, 'default') as queue, coalesce((x.v->>'priority')::smallint, d.priority, 0::smallint) as priority,
      coalesce((x.v->>'eta')::timestamptz, at + rowbeat.seconds_v1(x.v->'delay') * interval '1 second') as eta,
      rowbeat.payload_v1(x.v, d.attempts_max, d.time_limit, d.soft_time_limit, at) as payload
    from jsonb_array_elements(runs) with ordinality x(v, ordinal) left join rowbeat.tasks d on d.name = x.v->>'task'
    where not x.v ? 'kept') e
  left join rowbeat.queues q on q.name = e.queue
  left join rowbeat_queue._private_tasks t on t.identifier = e.queue || ':' || (e.v->>'task')
$$;
comment on function rowbeat.placed_v1 is 'Runs as asked for -> the same with defaults, payload and place: reason null is hot, task_id null is an identifier not made yet.';

-- Makes graphile's identifiers for queues and tasks that never met before; here their names are checked.
create function rowbeat.make_identifiers_v1(runs jsonb) returns void language plpgsql as $$
declare
  wrong record;
begin
  select x.ord, rowbeat.invalid_run_v1(x.v) as why into wrong from jsonb_array_elements(runs) with ordinality x(v, ord)
  where not x.v ? 'kept' and rowbeat.invalid_run_v1(x.v) is not null limit 1;
  if found then raise exception '%', wrong.why using errcode = 'invalid_parameter_value', detail = (wrong.ord - 1)::text; end if;
  insert into rowbeat_queue._private_tasks (identifier)
  select distinct p.queue || ':' || p.task from rowbeat.placed_v1(runs, now()) p where p.task_id is null order by 1 on conflict do nothing;
end $$;

-- The doorbell, in a statement after the insert so that it sees a newer snapshot: a worker that goes cold keeps looking until every
-- transaction that may have read "hot" is over (worker/doorbell.ts), so ringing only when hot_until is past loses no wake-up.
create function rowbeat.ring_v1(queue text) returns void language plpgsql as $$
declare
  hot timestamptz := (select q.hot_until from rowbeat.queues q where q.name = queue);
begin
  if hot > clock_timestamp() and current_setting('transaction_isolation') = 'read committed' then return; end if;
  -- With no worker alive there is nobody to wake: one that starts looks at once.
  if not exists (select from rowbeat.workers w where w.kind = 'worker' and w.seen_at > clock_timestamp() - interval '15 seconds') then return; end if;
  perform pg_notify('rowbeat_queue', queue);
end $$;

-- One run, the same way as placed_v1 places many; its look-ups one by one, because a join's start-up costs three times as much.
create function rowbeat.place_one_v1(v jsonb, at timestamptz) returns uuid language plpgsql as $$
declare
  d rowbeat.tasks; q rowbeat.queues; why text; target text; worth smallint; eta timestamptz; kind integer; payload json; run uuid := rowbeat.uuid7();
begin
  select * into d from rowbeat.tasks t where t.name = v->>'task';
  target := coalesce(v->>'queue', d.queue, 'default');
  worth := coalesce((v->>'priority')::smallint, d.priority, 0);
  eta := coalesce((v->>'eta')::timestamptz, at + rowbeat.seconds_v1(v->'delay') * interval '1 second');
  payload := rowbeat.payload_v1(v, d.attempts_max, d.time_limit, d.soft_time_limit, at);
  select * into q from rowbeat.queues k where k.name = target;
  why := rowbeat.placement_v1(eta, at, q.paused_at, q.overflow, worth);
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
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at)
    values (run, why, case when why = 'eta' then eta end, v->>'task', target, worth, payload, at, at);
    if eta < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  end if;
  return run;
end $$;

create function rowbeat.enqueue_many_v1(runs jsonb) returns table (ordinal integer, id uuid, created boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  total integer; at timestamptz := statement_timestamp(); wrong record; ids uuid[]; bells text[]; soon timestamptz; clashes boolean; bell text;
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
  clashes := runs @? '$[*] ? (exists (@.id) || exists (@.unique_key))';
  if clashes then runs := rowbeat.resolve_clashes_v1(runs); end if;
  if random() < total / 2500.0 then
    perform rowbeat.mark_overflow_v1(n.queue, n.count, n.best) from (
      select p.queue, count(*)::integer as count, min(p.priority)::integer as best from rowbeat.placed_v1(runs, at) p group by 1) n;
  end if;
  if total = 1 and not clashes then
    ordinal := 1; id := rowbeat.place_one_v1(runs->0, at); created := true;
    return next;
    return;
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
      insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at)
      select p.id, p.reason, case when p.reason = 'eta' then p.eta end, p.task, p.queue, p.priority, p.payload::json, p.asked_at, p.asked_at
      from p, ready where ready.yes and p.reason is not null
    )
    select array_agg(p.id order by p.ordinal), array_agg(distinct p.queue) filter (where p.reason is null),
      min(case p.reason when 'eta' then p.eta when 'overflow' then at end)
    into ids, bells, soon from p, ready where ready.yes;
    exit when ids is not null or not exists (select from jsonb_array_elements(runs) v where not v ? 'kept');
    perform rowbeat.make_identifiers_v1(runs);
  end loop;
  foreach bell in array coalesce(bells, '{}') loop perform rowbeat.ring_v1(bell); end loop;
  if soon < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  if not clashes then
    return query select o.ordinal::integer, o.id, true from unnest(ids) with ordinality o(id, ordinal);
  else
    return query select x.ord::integer, coalesce((x.v->>'kept')::uuid, ids[count(*) filter (where not x.v ? 'kept') over (order by x.ord)]), not x.v ? 'kept'
      from jsonb_array_elements(runs) with ordinality x(v, ord) order by 1;
  end if;
end $$;

-- Many runs that differ in nothing but their input, which is most of what a busy process enqueues: checked, looked up and placed once for all.
-- `fields` is a body of POST /v1/runs without input, id and unique key.
create function rowbeat.enqueue_same_v1(fields jsonb, inputs jsonb) returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  d rowbeat.tasks; q rowbeat.queues; why text; wrong record; target text; worth smallint; eta timestamptz; kind integer; rest text; open text;
  total integer := jsonb_array_length(inputs); at timestamptz := statement_timestamp();
begin
  why := case when fields ?| '{id,unique_key,input}' then 'fields: must not have id, unique_key or input' else rowbeat.invalid_run_v1(fields) end;
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
  if random() < total / 2500.0 then perform rowbeat.mark_overflow_v1(target, total, worth); end if;
  select * into q from rowbeat.queues k where k.name = target;
  why := rowbeat.placement_v1(eta, at, q.paused_at, q.overflow, worth);
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
      insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at)
      select r.run, why, case when why = 'eta' then eta end, fields->>'task', target, worth, (open || r.v::text || '}')::json, r.asked_at, at from r
    )
    select r.run from r;
    if why = 'overflow' or eta < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  end if;
end $$;

create function rowbeat.enqueue_many(runs jsonb) returns table (ordinal integer, id uuid, created boolean) language sql
security definer set search_path = pg_catalog, pg_temp as $$
  select * from rowbeat.enqueue_many_v1(runs)
$$;
comment on function rowbeat.enqueue_many is 'Enqueues an array of runs (bodies of POST /v1/runs) in this transaction, all or none, in order. created is false for a run that stood already.';

create function rowbeat.enqueue_v1(task text, input jsonb, queue text, priority integer, delay interval, eta timestamptz, expires timestamptz,
  id uuid, unique_key text, tags text[], headers jsonb, options jsonb) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  reserved text;
begin
  if jsonb_typeof(options) <> 'object' then
    raise exception 'options: must be an object such as {"attempts_max": 3}' using errcode = 'invalid_parameter_value';
  end if;
  select k into reserved from jsonb_object_keys(options) k
    where k <> all ('{on_conflict,attempts_max,retry,time_limit,soft_time_limit,concurrency_key,rate_key,ignore_result,parent,retention}') limit 1;
  if found then
    raise exception 'options: "%" is not an option of enqueue', reserved using errcode = 'invalid_parameter_value';
  end if;
  return (select m.id from rowbeat.enqueue_many_v1(jsonb_build_array(
    jsonb_strip_nulls(jsonb_build_object('task', task, 'queue', queue, 'priority', priority, 'delay', extract(epoch from delay)::float8, 'eta', eta,
      'expires', expires, 'id', id, 'unique_key', unique_key, 'tags', to_jsonb(tags)))
    || case when headers is null then '{}' else jsonb_build_object('headers', headers) end || coalesce(options, '{}') || jsonb_build_object('input', coalesce(input, '{}')))) m);
end $$;

create function rowbeat.enqueue(task text, input jsonb default '{}', queue text default null, priority integer default null, delay interval default null,
  eta timestamptz default null, expires timestamptz default null, id uuid default null, unique_key text default null, tags text[] default null,
  headers jsonb default null, options jsonb default '{}') returns uuid language sql security definer set search_path = pg_catalog, pg_temp as $$
  select rowbeat.enqueue_v1(task, input, queue, priority, delay, eta, expires, id, unique_key, tags, headers, options)
$$;
comment on function rowbeat.enqueue is 'Enqueues one run in this transaction and returns its id. Lower priority runs first; what is left null comes from rowbeat.tasks. Errors: 22023 invalid, 23505 duplicate, 22P05 NUL, 54000 too large.';

-- The claim. graphile-worker's own statement joins, and the planner, judging a table that is empty one moment and has thousands of rows
-- the next, reads it whole (41-63 ms for 512 runs of 60,000, where the index takes 11-18): so the way is told, here and for nothing else.
create function rowbeat.claim_v1(pool text, kinds integer[], size integer)
returns table (id bigint, job_queue_id integer, task_id integer, payload json, priority smallint, attempts smallint, key text, created_at timestamptz)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  return query
  with claimed as (
    update rowbeat_queue._private_jobs j set attempts = j.attempts + 1, locked_by = pool, locked_at = now()
    where j.id = any (array(
      select w.id from rowbeat_queue._private_jobs w
      where w.is_available and w.run_at <= now() and w.task_id = any (kinds) and w.job_queue_id is null
      order by w.priority, w.run_at limit size for update skip locked))
    returning j.id, j.job_queue_id, j.task_id, j.payload, j.priority, j.attempts, j.key, j.created_at, j.run_at
  )
  select c.id, c.job_queue_id, c.task_id, c.payload, c.priority, c.attempts, c.key, c.created_at from claimed c order by c.priority, c.run_at, c.id;
end $$;

revoke execute on all functions in schema rowbeat from public;
