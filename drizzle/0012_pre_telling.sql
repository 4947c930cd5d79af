-- Enqueue that tells: what POST /v1/runs does. To answer the run as it was stored took a second round trip and a look into
-- three places. Runs that differ only in their input differ in their documents by id, input and a microsecond each, so one
-- document is told for all of them, and nothing is read. Of any others, the rows that the same call has just written are
-- read by their own index. What a caller's unique key or id kept instead has no row of ours: its run is null, and whoever
-- asks looks it up as any other.

-- A run that nobody can have begun yet, as rowbeat.run would tell it; p is its payload, and a document without input has it from there.
create function rowbeat.fresh_run_v1(id uuid, task text, queue text, reason text, priority integer, p jsonb, created_at timestamptz, run_at timestamptz) returns text language sql stable as $$
  select json_build_object('id', id, 'task', task, 'queue', queue, 'state', case reason when 'eta' then 'SCHEDULED' else 'PENDING' end, 'reason', reason, 'priority', priority,
    'input', p->'input', 'attempt', coalesce((p->>'attempt')::integer, 0), 'attempts_max', coalesce((p->>'attempts_max')::integer, 1), 'redeliveries', coalesce((p->>'redeliveries')::integer, 0),
    'created_at', created_at, 'run_at', run_at, 'expires_at', (p->>'expires_at')::timestamptz, 'time_limit', (p->>'time_limit')::float8, 'soft_time_limit', (p->>'soft_time_limit')::float8,
    'unique_key', p->>'unique_key', 'tags', coalesce(p->'tags', '[]'), 'headers', coalesce(p->'headers', '{}'), 'parent', p->>'parent', 'retry_of', p->>'retry_of',
    'schedule', p->>'schedule', 'due_at', (p->>'due_at')::timestamptz)::text
$$;
comment on function rowbeat.fresh_run_v1 is 'The document of a run that was just enqueued, as JSON text.';

-- The documents of runs that this transaction wrote. A session that began when the tables were small must not go on to read them, or an index of another
-- order, whole: planned anew each time, which costs less than a run.
create function rowbeat.fresh_runs_v1(ids uuid[]) returns table (id uuid, run text) language sql volatile set enable_seqscan = off set plan_cache_mode = force_custom_plan as $$
  select j.key::uuid, rowbeat.fresh_run_v1(j.key::uuid, substr(t.identifier, strpos(t.identifier, ':') + 1), split_part(t.identifier, ':', 1), null, j.priority, j.payload::jsonb, j.created_at, j.run_at)
  from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id where j.key::uuid = any (ids)
  union all
  select k.id, rowbeat.fresh_run_v1(k.id, k.task, k.queue, k.reason, k.priority, k.payload::jsonb, k.created_at, coalesce(k.release_at, k.created_at))
  from rowbeat.parked k where k.id = any (ids)
$$;
comment on function rowbeat.fresh_runs_v1 is 'The runs of these ids that this transaction wrote, as JSON text of their columns.';

create function rowbeat.enqueue_many_told_v1(runs jsonb) returns table (ordinal integer, id uuid, created boolean, run text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  ids uuid[]; fresh boolean[];
begin
  select array_agg(m.id order by m.ordinal), array_agg(m.created order by m.ordinal) into ids, fresh from rowbeat.enqueue_many_v2(runs) m;
  return query select o.ordinal::integer, o.id, o.created, f.run from unnest(ids, fresh) with ordinality o(id, created, ordinal)
    left join rowbeat.fresh_runs_v1(array(select n.id from unnest(ids, fresh) n(id, created) where n.created)) f on f.id = o.id and o.created order by o.ordinal;
end $$;
comment on function rowbeat.enqueue_many_told_v1 is 'enqueue_many, and of each run that it created the document.';

-- What enqueue_same_v1 does, with the document of the first run, without its input, if one `tells`. Each run was asked for a microsecond after the one before.
create function rowbeat.place_same_v1(fields jsonb, inputs jsonb, tells boolean, out ids uuid[], out asked_at timestamptz, out run text)
language plpgsql as $$
declare
  d rowbeat.tasks; q rowbeat.queues; why text; gated text; wrong record; target text; worth smallint; eta timestamptz; kind integer; rest text; open text;
  total integer := jsonb_array_length(inputs); at timestamptz := statement_timestamp();
begin
  asked_at := at - (total - 1) * interval '1 microsecond';
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
    with r as materialized (
      select rowbeat.uuid7() as run, x.ord, x.v, at - (total - x.ord) * interval '1 microsecond' as since from jsonb_array_elements(inputs) with ordinality x(v, ord)
    ), hot as (
      insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
      select kind, (open || r.v::text || '}')::json, worth, r.since, 32767, r.run::text, r.since, r.since from r
    )
    select array_agg(r.run order by r.ord) into ids from r;
    perform rowbeat.ring_v1(target);
  else
    with r as materialized (
      select rowbeat.uuid7() as run, x.ord, x.v, at - (total - x.ord) * interval '1 microsecond' as since from jsonb_array_elements(inputs) with ordinality x(v, ord)
    ), cold as (
      insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at, parked_at, gate)
      select r.run, why, case when why = 'eta' then eta end, fields->>'task', target, worth, (open || r.v::text || '}')::json, r.since, at, gated from r
    )
    select array_agg(r.run order by r.ord) into ids from r;
    if gated is not null then insert into rowbeat.knocks (gate) values (gated); end if;
    if gated is not null or why = 'overflow' or eta < at + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  end if;
  if tells then
    run := rowbeat.fresh_run_v1(ids[1], fields->>'task', target, why, worth, rest::jsonb, asked_at, case when why = 'eta' then eta else asked_at end);
  end if;
end $$;

create or replace function rowbeat.enqueue_same_v1(fields jsonb, inputs jsonb) returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query select unnest(s.ids) from rowbeat.place_same_v1(fields, inputs, false) s;
end $$;

create function rowbeat.enqueue_same_told_v1(fields jsonb, inputs jsonb, out ids uuid[], out asked_at timestamptz, out run text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select * into ids, asked_at, run from rowbeat.place_same_v1(fields, inputs, true);
end $$;
comment on function rowbeat.enqueue_same_told_v1 is 'enqueue_same, with the document of the first run, without its input; each was asked for a microsecond after the one before.';

revoke execute on function rowbeat.fresh_run_v1, rowbeat.fresh_runs_v1, rowbeat.enqueue_many_told_v1, rowbeat.place_same_v1, rowbeat.enqueue_same_told_v1 from public;
