-- What is done to runs from outside beside revoking one: retry, reschedule, delete; and the same, with revoke, for all runs that match a filter,
-- as an operation: a row that says what, how far, and how fast. Any worker works it off, a step at a time, each step one transaction with the row's
-- own progress in it. So a worker that is killed loses nothing and repeats nothing, and whoever comes next goes on where it stood.
--
-- An operation goes through the runs in order of their id, over all places at once, in one snapshot a step: a run that moves meanwhile is seen
-- in whichever place it is. Only runs made before the operation are touched, so a retry of failures never retries its own.

alter table rowbeat.results add column options jsonb;
comment on column rowbeat.results.options is 'What the call asked for beside the columns (retry, concurrency_key, rate_key, ignore_result, retention); a retry takes it over. Null for most.';

-- Stable, for it is to be inlined: jsonb_build_object is no more than that.
create function rowbeat.kept_options_v1(p jsonb) returns jsonb language sql stable parallel safe as $$
  select case when p ?| '{retry,concurrency_key,rate_key,ignore_result,retention}'::text[] then jsonb_strip_nulls(jsonb_build_object('retry', p->'retry',
    'concurrency_key', p->'concurrency_key', 'rate_key', p->'rate_key', 'ignore_result', p->'ignore_result', 'retention', p->'retention')) end
$$;

-- The instant at which a waiting run is no longer worth running. Immutable in truth, though not by type: the text is written from a timestamptz, with its offset.
create function rowbeat.expires_at_v1(payload json) returns timestamptz language sql immutable parallel safe as $$ select (payload->>'expires_at')::timestamptz $$;
create index parked_expires_at on rowbeat.parked (rowbeat.expires_at_v1(payload)) where strpos(payload::text, '"expires_at"') > 0;

-- Ends runs that wait (parked, or queued and not claimed) in one statement; answers those that it ended. The others are with a worker, finished or unknown.
-- `until`: only runs made by then.
create function rowbeat.end_waiting_v3(runs uuid[], why text, words text, until timestamptz) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  ends uuid[]; passes boolean;
begin
  with gone as (
    delete from rowbeat_queue._private_jobs j where j.key = any (runs::text[]) and j.locked_at is null and (until is null or j.created_at <= until)
    returning j.key::uuid as id, (select t.identifier from rowbeat_queue._private_tasks t where t.id = j.task_id) as identifier, j.priority, j.payload, j.created_at, j.run_at
  ), unparked as (
    delete from rowbeat.parked p where p.id = any (runs) and (until is null or p.created_at <= until)
    returning p.id, p.queue || ':' || p.task as identifier, p.priority, p.payload, p.created_at, coalesce(p.release_at, p.parked_at) as run_at
  ), ended as (
    select * from gone union all select * from unparked
  ), freed as (
    delete from rowbeat.permits x where x.run_id = any (array(select e.id from ended e)) returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct f.gate from freed f
  ), reported as (
    delete from rowbeat.progress g where g.run_id = any (array(select e.id from ended e)) returning g.*
  ), stored as (
    insert into rowbeat.results (id, task, queue, state, reason, priority, input, error, progress, attempt, attempts_max, redeliveries, created_at, run_at, finished_at,
      expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, options, keep_until)
    select e.id, substr(e.identifier, strpos(e.identifier, ':') + 1), split_part(e.identifier, ':', 1), 'REVOKED', why, e.priority, p->'input', rowbeat.revoked_error_v1(words, null),
      case when g.run_id is not null then jsonb_build_object('current', g.current, 'total', g.total, 'percent', round((100 * g.current / nullif(g.total, 0))::numeric, 1),
        'meta', g.meta, 'at', to_char(g.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
      coalesce((p->>'attempt')::int, 0), coalesce((p->>'attempts_max')::int, 1), coalesce((p->>'redeliveries')::int, 0), e.created_at, e.run_at, clock_timestamp(),
      (p->>'expires_at')::timestamptz, (p->>'time_limit')::float8, (p->>'soft_time_limit')::float8, p->>'unique_key',
      case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) end, p->'headers',
      (p->>'parent')::uuid, (p->>'retry_of')::uuid, p->>'schedule', (p->>'due_at')::timestamptz, rowbeat.kept_options_v1(p),
      clock_timestamp() + coalesce((p->>'retention')::float8, (select t.retention from rowbeat.tasks t where t.name = substr(e.identifier, strpos(e.identifier, ':') + 1)), 2592000)
        * interval '1 second'
    from ended e left join reported g on g.run_id = e.id cross join lateral (select e.payload::jsonb as p offset 0) x
    returning id
  )
  select array_agg(s.id), exists (select from freed) into ends, passes from stored s;
  if ends is null then return '{}'; end if;
  if passes then perform pg_notify('rowbeat_parked', ''); end if;
  perform pg_notify('rowbeat_runs', case when cardinality(ends) > 100 then '*' else array_to_string(ends, ',') end);
  return ends;
end $$;

create or replace function rowbeat.end_waiting_v2(run uuid, why text, words text, until timestamptz) returns boolean language plpgsql as $$
begin
  return rowbeat.end_waiting_v3(array[run], why, words, until) <> '{}';
end $$;

-- Runs whose time is over while they are parked, whatever for: REVOKED, expired, without waiting to be released. What is queued is found expired by its worker.
create function rowbeat.expire_parked_v1(most integer) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  late uuid[] := array(select p.id from rowbeat.parked p where strpos(p.payload::text, '"expires_at"') > 0 and rowbeat.expires_at_v1(p.payload) <= statement_timestamp()
    order by rowbeat.expires_at_v1(p.payload) limit most for update skip locked);
begin
  return case when late = '{}' then 0 else cardinality(rowbeat.end_waiting_v3(late, 'expired', null, null)) end;
end $$;

-- RETRY ---------------------------------------------------------------------------------------------------------------------------------------------

-- The body of POST /v1/runs that repeats a finished run: all it was asked with, but its id, its eta and its expiry, which are over. It stands for the same
-- instant of its schedule (due_at), so that what makes Monday's report makes Monday's again. Its unique key holds as for any run.
create function rowbeat.retry_body_v1(r rowbeat.results, new_input jsonb) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('task', r.task, 'queue', r.queue, 'priority', r.priority, 'attempts_max', r.attempts_max, 'time_limit', r.time_limit,
      'soft_time_limit', r.soft_time_limit, 'unique_key', r.unique_key, 'tags', to_jsonb(r.tags), 'parent', r.parent, 'retry_of', r.id, 'schedule', r.schedule, 'due_at', r.due_at))
    || coalesce(r.options, '{}') || case when jsonb_typeof(r.headers) = 'object' then jsonb_build_object('headers', r.headers) else '{}' end
    || jsonb_build_object('input', coalesce(new_input, r.input))
$$;

-- A key that a finished run still holds for a time is free for the run that repeats it.
create function rowbeat.pass_on_keys_v1(runs uuid[]) returns void language sql set enable_seqscan = off as $$
  update rowbeat.unique_keys u set until_at = null from rowbeat.results r
  where r.id = any (runs) and r.unique_key is not null and u.hash = sha256(convert_to(r.task || ':' || r.unique_key, 'UTF8')) and u.run_id = r.id and u.until_at is not null
$$;

create function rowbeat.wrong_state_v1(run uuid, cure text) returns void language plpgsql as $$
begin
  raise exception 'run % is %: %', run, (select r.state from rowbeat.run(run) r), cure using errcode = 'object_not_in_prerequisite_state';
end $$;

create function rowbeat.unknown_run_v1(run uuid) returns void language plpgsql as $$
begin
  raise exception 'run % is unknown: it was never enqueued, was rolled back, or its result expired', run using errcode = 'no_data_found';
end $$;

-- Answers the id of the new run; of a parked run, which is released, its own; null for an unknown id, so that a caller's transaction goes on.
create function rowbeat.retry_v1(run uuid, new_input jsonb) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  r rowbeat.results; why text;
begin
  loop
    select * into r from rowbeat.results x where x.id = run;
    if found then
      if r.input is null and new_input is null then perform rowbeat.wrong_state_v1(run, 'its input was not kept, so give one to retry it with'); end if;
      perform rowbeat.pass_on_keys_v1(array[run]);
      return (select m.id from rowbeat.enqueue_many(jsonb_build_array(rowbeat.retry_body_v1(r, new_input) || '{"on_conflict": "reject"}')) m);
    end if;
    select p.reason into why from rowbeat.parked p where p.id = run for update;
    if found then
      if new_input is not null then perform rowbeat.wrong_state_v1(run, 'only a finished run can be retried with another input; revoke it first'); end if;
      if why = 'flow' then perform rowbeat.wrong_state_v1(run, 'it follows when the steps before it have ended, and cannot be released by itself'); end if;
      -- What is paused, overflows or is held by a limit waits for nothing else already, and keeps its place.
      update rowbeat.parked p set release_at = clock_timestamp() where p.id = run and p.reason in ('eta', 'snooze', 'retry') and p.release_at > clock_timestamp();
      perform pg_notify('rowbeat_parked', '');
      return run;
    end if;
    if exists (select from rowbeat_queue._private_jobs j where j.key = run::text) then
      perform rowbeat.wrong_state_v1(run, 'it has not ended, so there is nothing to retry; wait for its end, or revoke it first');
    end if;
    if not rowbeat.is_known_v1(run) then return null; end if;
  end loop;
end $$;

create function rowbeat.retry(id uuid, input jsonb default null) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  made uuid := rowbeat.retry_v1(id, input);
begin
  if made is null then perform rowbeat.unknown_run_v1(id); end if;
  return made;
end $$;
comment on function rowbeat.retry is 'Repeats a finished run, with another input if one is given, and returns the id of the new run; releases a parked run now and returns its own. Errors: P0002 unknown id, 55000 queued or running, 23505 its unique key is held.';

-- RESCHEDULE ----------------------------------------------------------------------------------------------------------------------------------------

-- What has passed a limit says so; whoever is parked again has it before him again.
create function rowbeat.ungated_v1(payload json) returns json language sql immutable parallel safe as $$
  select case when payload->>'gated' is null then payload else (payload::jsonb - 'gated')::text::json end
$$;

-- Parks runs that wait until `eta`; answers those that it moved.
create function rowbeat.reschedule_many_v1(runs uuid[], eta timestamptz) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  moved uuid[]; passes boolean;
begin
  with later as (
    update rowbeat.parked p set reason = 'eta', release_at = eta, gate = null, parked_at = clock_timestamp() where p.id = any (runs) and p.reason <> 'flow' returning p.id
  ), gone as (
    delete from rowbeat_queue._private_jobs j where j.key = any (runs::text[]) and j.locked_at is null
    returning j.key::uuid as id, (select t.identifier from rowbeat_queue._private_tasks t where t.id = j.task_id) as identifier, j.priority, j.payload, j.created_at
  ), cold as (
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
    select g.id, 'eta', eta, substr(g.identifier, strpos(g.identifier, ':') + 1), split_part(g.identifier, ':', 1), g.priority, rowbeat.ungated_v1(g.payload), g.created_at from gone g
    returning id
  ), them as (
    select l.id from later l union all select c.id from cold c
  ), freed as (
    delete from rowbeat.permits x where x.run_id = any (array(select m.id from them m)) returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct f.gate from freed f
  )
  select coalesce(array_agg(m.id), '{}'), exists (select from freed) into moved, passes from them m;
  if passes or moved <> '{}' and eta < clock_timestamp() + interval '1 second' then perform pg_notify('rowbeat_parked', ''); end if;
  return moved;
end $$;

create function rowbeat.reschedule_v1(run uuid, eta timestamptz) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if eta is null or not isfinite(eta) then raise exception 'eta: must be an instant' using errcode = 'invalid_parameter_value'; end if;
  loop
    if rowbeat.reschedule_many_v1(array[run], eta) <> '{}' then return 'SCHEDULED'; end if;
    if exists (select from rowbeat.results r where r.id = run) then perform rowbeat.wrong_state_v1(run, 'it has ended; retry it to run it again'); end if;
    if exists (select from rowbeat.parked p where p.id = run and p.reason = 'flow') then
      perform rowbeat.wrong_state_v1(run, 'it follows when the steps before it have ended, and has no time of its own'); end if;
    if exists (select from rowbeat_queue._private_jobs j where j.key = run::text and j.locked_at is not null) then
      perform rowbeat.wrong_state_v1(run, 'a worker has it; revoke it, and retry it when it is to run'); end if;
    if not rowbeat.is_known_v1(run) then return null; end if;
  end loop;
end $$;

create function rowbeat.reschedule(id uuid, eta timestamptz) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  state text := rowbeat.reschedule_v1(id, eta);
begin
  if state is null then perform rowbeat.unknown_run_v1(id); end if;
  return state;
end $$;
comment on function rowbeat.reschedule is 'Moves a run that waits to another time and returns its state after. Errors: P0002 unknown id, 55000 with a worker or finished.';

-- DELETE --------------------------------------------------------------------------------------------------------------------------------------------

create function rowbeat.delete_runs_v1(runs uuid[]) returns uuid[] language sql set enable_seqscan = off as $$
  with gone as (delete from rowbeat.results r where r.id = any (runs) returning r.id),
    a as (delete from rowbeat.attempts x where x.run_id = any (array(select g.id from gone g))),
    l as (delete from rowbeat.logs x where x.run_id = any (array(select g.id from gone g))),
    p as (delete from rowbeat.progress x where x.run_id = any (array(select g.id from gone g)))
  select coalesce(array_agg(g.id), '{}') from gone g
$$;

create function rowbeat.delete_run(id uuid) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if rowbeat.delete_runs_v1(array[id]) <> '{}' then return; end if;
  if rowbeat.is_live_v1(id) then perform rowbeat.wrong_state_v1(id, 'only a finished run can be deleted; revoke it first'); end if;
  perform rowbeat.unknown_run_v1(id);
end $$;
comment on function rowbeat.delete_run is 'Deletes a finished run with its attempts and logs. Errors: P0002 unknown id, 55000 not finished.';

-- MOVE ----------------------------------------------------------------------------------------------------------------------------------------------

-- Gives runs that wait to another queue, with their priority and age; answers those that it moved. What may run goes by way of the dispatcher, which knows
-- whether that queue is paused, overflows or is limited: due since it was made, so that the order stays.
create function rowbeat.move_runs_v1(runs uuid[], target text) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  moved uuid[]; best integer;
begin
  with later as (
    update rowbeat.parked p set queue = target, gate = null,
      release_at = case when p.reason in ('eta', 'snooze', 'retry') then p.release_at when p.reason <> 'flow' then p.created_at end,
      reason = case when p.reason in ('eta', 'snooze', 'retry', 'flow') then p.reason else 'eta' end
    where p.id = any (runs) and p.queue <> target returning p.id, p.task, p.priority
  ), gone as (
    delete from rowbeat_queue._private_jobs j where j.key = any (runs::text[]) and j.locked_at is null
    returning j.key::uuid as id, (select substr(t.identifier, strpos(t.identifier, ':') + 1) from rowbeat_queue._private_tasks t where t.id = j.task_id) as task,
      j.priority, j.payload, j.created_at
  ), cold as (
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
    select g.id, 'eta', g.created_at, g.task, target, g.priority, rowbeat.ungated_v1(g.payload), g.created_at from gone g returning id
  ), all_of_them as (
    select l.id, l.task, l.priority from later l union all select g.id, g.task, g.priority from gone g
  ), freed as (
    delete from rowbeat.permits x where x.run_id = any (array(select m.id from all_of_them m)) returning x.gate
  ), knocked as (
    insert into rowbeat.knocks (gate) select distinct f.gate from freed f
  ), named as (
    insert into rowbeat_queue._private_tasks (identifier)
    select distinct target || ':' || m.task from all_of_them m where not exists (select from rowbeat_queue._private_tasks t where t.identifier = target || ':' || m.task)
    order by 1 on conflict do nothing
  )
  select coalesce(array_agg(m.id), '{}'), min(m.priority) into moved, best from all_of_them m;
  if moved <> '{}' then
    perform rowbeat.mark_overflow_v1(target, cardinality(moved), best);
    perform pg_notify('rowbeat_parked', '');
  end if;
  return moved;
end $$;

-- OPERATIONS ----------------------------------------------------------------------------------------------------------------------------------------

create table rowbeat.operations (
  id uuid primary key default rowbeat.uuid7(),
  kind text not null check (kind in ('revoke', 'retry', 'reschedule', 'delete', 'purge', 'move')),
  filter jsonb not null,
  options jsonb not null default '{}',
  state text not null default 'running' check (state in ('running', 'done', 'stopped', 'failed')),
  total bigint,
  done bigint not null default 0,
  skipped bigint not null default 0,
  failed bigint not null default 0,
  last_id uuid,
  batch integer not null default 500,
  next_at timestamptz not null default clock_timestamp(),
  error text,
  created_by text,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
) with (fillfactor = 50);
create index operations_running on rowbeat.operations (next_at) where state = 'running';
comment on table rowbeat.operations is 'What is done, or was in the last 30 days, to all runs that match a filter, and how far it is.';
comment on column rowbeat.operations.total is 'About how many runs matched when it began; exact when it is done.';
comment on column rowbeat.operations.last_id is 'Runs up to this id have been looked at.';
comment on column rowbeat.operations.batch is 'Runs in the next step at most: fewer after one that failed, to find the run to blame.';
comment on column rowbeat.operations.next_at is 'Not before: the throttle, or a pause after a fault.';

-- Text by commas or an array -> words.
create function rowbeat.words_v1(v jsonb) returns text[] language sql immutable parallel safe as $$
  select case jsonb_typeof(v) when 'string' then string_to_array(v #>> '{}', ',') when 'array' then array(select jsonb_array_elements_text(v)) end
$$;

-- What is wrong with a filter ("filter: ..."), or null.
create function rowbeat.invalid_filter_v1(f jsonb) returns text language plpgsql stable as $$
declare
  known text[] := '{state,reason,task,queue,tag,schedule,created_before,created_after,ids,all}'; states text[] := '{PENDING,SCHEDULED,STARTED,PROGRESS,RETRY,SUCCESS,FAILURE,REVOKED}';
  field text;
begin
  if jsonb_typeof(f) is distinct from 'object' then return 'filter: must be an object such as {"task": "demo.add"}'; end if;
  if f = '{}' then return 'filter: is empty; say which runs, or {"all": true} for all of them'; end if;
  select k into field from jsonb_object_keys(f) k where k <> all (known) limit 1;
  if found then return 'filter: "' || field || '" is no part of a filter; known are ' || array_to_string(known, ', '); end if;
  if f ? 'all' and f->'all' <> 'true' then return 'filter: all must be true, or left out'; end if;
  select k into field from unnest('{task,queue,schedule,created_before,created_after}'::text[]) k where f ? k and jsonb_typeof(f->k) <> 'string' limit 1;
  if found then return 'filter: ' || field || ' must be text'; end if;
  if f->>'task' !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$' then return 'filter: task must match ^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'; end if;
  if f->>'queue' !~ '^[a-z][a-z0-9_-]{0,31}$' then return 'filter: queue must match ^[a-z][a-z0-9_-]{0,31}$'; end if;
  foreach field in array '{state,reason,tag,ids}'::text[] loop
    if f ? field and not (jsonb_typeof(f->field) = 'string' and field <> 'ids' or jsonb_typeof(f->field) = 'array' and f->field <> '[]'
        and not f->field @? '$[*] ? (@.type() != "string")') then return 'filter: ' || field || case field when 'ids' then ' must be a list of texts' else ' must be text or a list of texts' end; end if;
  end loop;
  if not rowbeat.words_v1(f->'state') <@ states then return 'filter: state must be one or more of ' || array_to_string(states, ', '); end if;
  if jsonb_array_length(case when jsonb_typeof(f->'ids') = 'array' then f->'ids' else '[]' end) > 10000 then return 'filter: ids must be at most 10000'; end if;
  if exists (select from jsonb_array_elements_text(coalesce(f->'ids', '[]')) i where i !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$') then
    return 'filter: ids must be UUIDs'; end if;
  foreach field in array '{created_before,created_after}'::text[] loop
    if f ? field and rowbeat.instant_v1(f->>field) is null then return 'filter: ' || field || ' must be an instant such as 2026-01-31T12:00:00Z'; end if;
  end loop;
  return null;
end $$;

-- What is wrong with the rest of an operation ("field: ..."), or null.
create function rowbeat.invalid_operation_v1(kind text, f jsonb, o jsonb) returns text language plpgsql stable as $$
declare
  takes jsonb := '{"revoke": ["terminate", "reason"], "retry": ["input"], "reschedule": ["eta", "delay"], "delete": [], "purge": ["reason"], "move": ["to"]}';
  known text[]; field text; finished text[] := '{SUCCESS,FAILURE,REVOKED}'; states text[];
begin
  if not coalesce(takes ? kind, false) then return 'kind: must be revoke, retry, reschedule, delete, purge or move'; end if;
  if rowbeat.invalid_filter_v1(f) is not null then return rowbeat.invalid_filter_v1(f); end if;
  if jsonb_typeof(o) is distinct from 'object' then return 'options: must be an object such as {"throttle": 100}'; end if;
  known := array(select jsonb_array_elements_text(takes->kind)) || 'throttle'::text;
  select k into field from jsonb_object_keys(o) k where k <> all (known) limit 1;
  if found then return field || ': is no option of ' || kind || '; known are ' || array_to_string(known, ', '); end if;
  if o ? 'throttle' and (jsonb_typeof(o->'throttle') <> 'number' or (o->>'throttle')::numeric not between 0.001 and 1000000) then
    return 'throttle: must be a number of runs a second, from 0.001 to 1000000'; end if;
  if o ? 'terminate' and jsonb_typeof(o->'terminate') <> 'boolean' then return 'terminate: must be true or false'; end if;
  if o ? 'reason' and (jsonb_typeof(o->'reason') <> 'string' or length(o->>'reason') > 2000) then return 'reason: must be text of at most 2000 characters'; end if;
  if o ? 'input' and not f ? 'task' then return 'input: needs a filter with a task, since an input is made for one'; end if;
  if kind = 'reschedule' and (o->>'eta' is null) = (o->>'delay' is null) then return 'eta: give eta or delay'; end if;
  if o->>'eta' is not null and rowbeat.instant_v1(o->>'eta') is null then return 'eta: must be an instant such as 2026-01-31T12:00:00Z'; end if;
  if o->>'delay' is not null and coalesce(rowbeat.seconds_v1(o->'delay'), -1) not between 0 and 3155760000 then
    return 'delay: must be seconds or text such as "30s", "10 minutes", not negative, at most 100 years'; end if;
  if kind in ('purge', 'move') and not f ? 'queue' then return 'filter: ' || kind || ' needs a queue'; end if;
  if kind = 'move' and (jsonb_typeof(o->'to') is distinct from 'string' or o->>'to' !~ '^[a-z][a-z0-9_-]{0,31}$' or o->>'to' = f->>'queue') then
    return 'to: must be the name of another queue, matching ^[a-z][a-z0-9_-]{0,31}$'; end if;
  states := rowbeat.words_v1(f->'state');
  if kind = 'delete' and not states <@ finished then return 'filter: only finished runs can be deleted: state must be of ' || array_to_string(finished, ', '); end if;
  if kind = 'retry' and states && '{STARTED,PROGRESS}' then return 'filter: what runs cannot be retried: state must not have STARTED or PROGRESS'; end if;
  if kind not in ('retry', 'delete') and states && finished then return 'filter: what has finished stays as it is: state must not have ' || array_to_string(finished, ', '); end if;
  return null;
end $$;

-- One place as an operation reads it: SQL whose rows are the ids that come next there, and whether they match (ok). `most` null: all of them, in no order.
-- What an index serves bounds the rows that are read, the rest is asked of each. $1 the filter, $2 made by, $3 after this id, $4 ids, $5 states, $6 reasons,
-- $7 tags, $8 identifiers, $9 runs that workers list. Nothing of the filter is in the text.
create function rowbeat.operation_source_v1(place text, kind text, f jsonb, most integer) returns text language plpgsql immutable as $$
declare
  body text; reads text[]; asks text[] := '{r.created_at <= $2}'; payload text := 'r.payload::jsonb'; states text[] := rowbeat.words_v1(f->'state');
begin
  if f ? 'created_before' then asks := asks || 'r.created_at < ($1->>''created_before'')::timestamptz'::text; end if;
  if f ? 'created_after' then asks := asks || 'r.created_at > ($1->>''created_after'')::timestamptz'::text; end if;
  if place = 'results' then
    body := 'select x.id, x.task, x.queue, x.state, x.reason, x.tags, x.schedule, x.created_at from rowbeat.results x';
    reads := '{($3 is null or x.id > $3)}';
    if f ? 'ids' then reads := reads || 'x.id = any ($4)'::text; end if;
    -- A default that is not in the filter: what is retried is what failed, unless it is said.
    if states is null and kind = 'retry' and not f ? 'ids' then states := '{FAILURE}'; end if;
    -- The newest failures have an index of their own, which serves better than that of the task: they are few.
    if states = '{FAILURE}' then reads := reads || 'x.state = ''FAILURE'''::text;
    elsif states is not null then asks := asks || 'r.state = any ($5)'::text; end if;
    if f ? 'task' then
      if states = '{FAILURE}' then asks := asks || 'r.task = $1->>''task'''::text; else reads := reads || 'x.task = $1->>''task'''::text; end if;
    end if;
    if f ? 'queue' then asks := asks || 'r.queue = $1->>''queue'''::text; end if;
    if f ? 'reason' then asks := asks || 'r.reason = any ($6)'::text; end if;
    if f ? 'tag' then asks := asks || 'r.tags @> $7'::text; end if;
    if f ? 'schedule' then asks := asks || 'r.schedule = $1->>''schedule'''::text; end if;
  elsif place = 'parked' then
    body := 'select x.* from rowbeat.parked x';
    reads := '{($3 is null or x.id > $3)}';
    if f ? 'ids' then reads := reads || 'x.id = any ($4)'::text; end if;
    if f ? 'task' then reads := reads || 'x.task = $1->>''task'''::text; end if;
    if f ? 'queue' then asks := asks || 'r.queue = $1->>''queue'''::text; end if;
    if f ? 'reason' then asks := asks || 'r.reason = any ($6)'::text; end if;
    if states is not null then
      asks := asks || 'case r.reason when ''eta'' then ''SCHEDULED'' when ''snooze'' then ''SCHEDULED'' when ''retry'' then ''RETRY'' else ''PENDING'' end = any ($5)'::text; end if;
    if kind <> 'move' and kind <> 'revoke' and kind <> 'purge' then asks := asks || 'r.reason <> ''flow'''::text; end if;
  else
    body := 'select x.key::uuid as id, x.task_id, x.payload, x.created_at, x.locked_at, x.locked_by from rowbeat_queue._private_jobs x';
    reads := '{($3 is null or x.key::uuid > $3)}';
    if f ? 'ids' then reads := reads || 'x.key::uuid = any ($4)'::text; end if;
    if f ?| '{task,queue}' then asks := asks || 'r.task_id = any ($8)'::text; end if;
    if kind <> 'revoke' then asks := asks || 'r.locked_at is null'::text; end if;
    if states is not null then
      asks := asks || 'case when r.locked_at is null or not r.id = any ($9) then ''PENDING'' when exists (select from rowbeat.progress g where g.run_id = r.id) then ''PROGRESS'' else ''STARTED'' end = any ($5)'::text;
    end if;
  end if;
  if place <> 'results' then
    if f ? 'tag' then asks := asks || 'coalesce(r.payload::jsonb->''tags'' @> to_jsonb($7), false)'::text; end if;
    if f ? 'schedule' then asks := asks || 'r.payload->>''schedule'' = $1->>''schedule'''::text; end if;
  end if;
  return format('select r.id, coalesce(%s, false) as ok from (%s where %s%s) r', array_to_string(asks, ' and '), body, array_to_string(reads, ' and '),
    case when most is not null then ' order by ' || case place when 'jobs' then 'x.key::uuid' else 'x.id' end || ' limit ' || most else '' end);
end $$;

-- The places in which an operation looks.
create function rowbeat.operation_places_v1(kind text, f jsonb) returns text[] language sql immutable as $$
  select array(select p from unnest('{parked,jobs,results}'::text[]) p
    where case p when 'results' then kind in ('retry', 'delete') and coalesce(rowbeat.words_v1(f->'state') && '{SUCCESS,FAILURE,REVOKED}', true)
      when 'parked' then kind <> 'delete' and coalesce(rowbeat.words_v1(f->'state') && '{PENDING,SCHEDULED,RETRY}', kind <> 'retry' or f ? 'ids')
      -- Queued runs have no reason.
      else kind not in ('retry', 'delete') and not f ? 'reason' and coalesce(rowbeat.words_v1(f->'state') && '{PENDING,STARTED,PROGRESS}', true) end)
$$;

-- The next runs of an operation: up to `size` ids in order, the id up to which all has been looked at, and whether that was the end. With `counting`, how many match.
-- 5,000 rows of each place are read for a step, whether they match or not; where a place has more, nothing beyond the last of them is sure.
create function rowbeat.operation_next_v1(o rowbeat.operations, size integer, out ids uuid[], out upto uuid, out over boolean, counting boolean default false, out count bigint)
language plpgsql set enable_seqscan = off as $$
declare
  read_most constant integer := 5000; count_most constant integer := 100000;
  f jsonb := o.filter; place text; places text[] := rowbeat.operation_places_v1(o.kind, o.filter); parts text[] := '{}'; floors text[] := '{}';
  given uuid[] := array(select i::uuid from jsonb_array_elements_text(coalesce(f->'ids', '[]')) i);
  states text[] := rowbeat.words_v1(f->'state'); reasons text[] := rowbeat.words_v1(f->'reason');
  tags text[] := case jsonb_typeof(f->'tag') when 'string' then array[f->>'tag'] else rowbeat.words_v1(f->'tag') end;
  kinds integer[]; listed uuid[] := '{}'; matched bigint; seen bigint; plan json; expected float8;
begin
  if f ?| '{task,queue}' then
    kinds := array(select t.id from rowbeat_queue._private_tasks t
      where split_part(t.identifier, ':', 1) = coalesce(f->>'queue', split_part(t.identifier, ':', 1)) and split_part(t.identifier, ':', 2) = coalesce(f->>'task', split_part(t.identifier, ':', 2)));
  end if;
  if states is not null and 'jobs' = any (places) then
    listed := array(select (l->>'id')::uuid from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l);
  end if;
  if counting then
    count := 0;
    foreach place in array places loop
      execute 'select count(*) filter (where s.ok), count(*) from (' || rowbeat.operation_source_v1(place, o.kind, f, count_most) || ') s'
        into matched, seen using f, o.created_at, null::uuid, given, states, reasons, tags, kinds, listed;
      if seen = count_most then
        execute 'explain (format json) ' || rowbeat.operation_source_v1(place, o.kind, f, null)
          into plan using f, o.created_at, null::uuid, given, states, reasons, tags, kinds, listed;
        expected := (plan->0->'Plan'->>'Plan Rows')::float8;
        matched := (matched * greatest(1, expected / count_most))::bigint;
      end if;
      count := count + matched;
    end loop;
    return;
  end if;
  foreach place in array places loop
    parts := parts || format('%s as materialized (%s)', place, rowbeat.operation_source_v1(place, o.kind, f, read_most));
    floors := floors || format('(select s.id from %s s order by s.id offset %s limit 1)', place, read_most - 1);
  end loop;
  if parts = '{}' then
    ids := '{}'; over := true;
    return;
  end if;
  execute 'with ' || array_to_string(parts, ', ') || ', floor as materialized (select y.id from (' || array_to_string(floors, ' union all ') || ') y order by 1 limit 1), found as ('
    || 'select distinct y.id from (' || (select string_agg(format('select s.id from %s s where s.ok', p), ' union all ') from unnest(places) p) || ') y '
    || 'where y.id <= coalesce((select g.id from floor g), y.id) order by 1 limit ' || size || ') '
    || 'select coalesce((select array_agg(d.id order by d.id) from found d), ''{}''), (select g.id from floor g)'
    into ids, upto using f, o.created_at, o.last_id, given, states, reasons, tags, kinds, listed;
  over := upto is null and cardinality(ids) < size;
  if cardinality(ids) = size then upto := ids[size]; end if;
end $$;

-- Does to these runs what the operation says; answers to how many it was done. The others had moved on, or stood already.
create function rowbeat.operate_v1(o rowbeat.operations, ids uuid[]) returns integer language plpgsql set enable_seqscan = off as $$
declare
  words text := left(o.options->>'reason', 2000); did uuid[]; told uuid[]; run uuid; n integer; bodies jsonb;
begin
  case o.kind
  when 'revoke' then
    did := rowbeat.end_waiting_v3(ids, 'revoked', words, null);
    ids := array(select i from unnest(ids) i where i <> all (did));
    n := cardinality(did);
    if ids = '{}' then return n; end if;
    with asked as (
      insert into rowbeat.revocations as v (run_id, terminate, reason)
      select j.key::uuid, coalesce((o.options->>'terminate')::boolean, false), words from rowbeat_queue._private_jobs j
      where j.key = any (ids::text[]) and j.locked_at is not null order by 1
      on conflict (run_id) do update set terminate = v.terminate or excluded.terminate, reason = coalesce(excluded.reason, v.reason), at = excluded.at
      returning v.run_id
    )
    select coalesce(array_agg(a.run_id), '{}') into told from asked a;
    if told <> '{}' then perform pg_notify('rowbeat_control', told[1]::text); end if;
    n := n + cardinality(told);
    -- What moved between the two looks.
    foreach run in array array(select i from unnest(ids) i where i <> all (told)) loop
      if rowbeat.revoke_v1(run, (o.options->>'terminate')::boolean, words) not in ('SUCCESS', 'FAILURE') then n := n + 1; end if;
    end loop;
    return n;
  when 'purge' then return cardinality(rowbeat.end_waiting_v3(ids, 'revoked', coalesce(words, 'purged'), null));
  when 'move' then return cardinality(rowbeat.move_runs_v1(ids, o.options->>'to'));
  when 'reschedule' then return cardinality(rowbeat.reschedule_many_v1(ids, (o.options->>'eta')::timestamptz));
  when 'delete' then return cardinality(rowbeat.delete_runs_v1(ids));
  when 'retry' then
    update rowbeat.parked p set release_at = clock_timestamp() where p.id = any (ids) and p.reason in ('eta', 'snooze', 'retry') and p.release_at > clock_timestamp();
    get diagnostics n = row_count;
    if n > 0 then perform pg_notify('rowbeat_parked', ''); end if;
    -- A unique key that is held lets the run that holds it stand.
    select jsonb_agg(rowbeat.retry_body_v1(r, o.options->'input') || '{"on_conflict": "keep"}' order by r.id) into bodies
    from rowbeat.results r where r.id = any (ids) and (r.input is not null or o.options ? 'input');
    if bodies is null then return n; end if;
    perform rowbeat.pass_on_keys_v1(ids);
    return n + (select count(*) filter (where m.created)::integer from rowbeat.enqueue_many(bodies) m);
  end case;
end $$;

-- One step of the operation that is due the longest, if no other worker is at it; answers whether there is more to do at once. A step that fails is tried again
-- with fewer runs, until the run to blame stands alone: it is counted as failed, and the others are done. A run that somebody's open transaction holds is such
-- a one: nobody waits for it longer than the lock_timeout.
create function rowbeat.work_operation_v1() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
  o rowbeat.operations; throttle float8; size integer; ids uuid[]; upto uuid; over boolean; n integer; blame text;
begin
  select * into o from rowbeat.operations x where x.state = 'running' and x.next_at <= clock_timestamp() order by x.next_at limit 1 for update skip locked;
  if not found then return false; end if;
  throttle := (o.options->>'throttle')::float8;
  size := case when throttle is null then o.batch else least(o.batch, greatest(1, ceil(throttle / 4))) end;
  begin
    if o.started_at is null then
      update rowbeat.operations x set started_at = clock_timestamp(), total = (rowbeat.operation_next_v1(o, 0, counting => true)).count where x.id = o.id;
    end if;
    select x.ids, x.upto, x.over into ids, upto, over from rowbeat.operation_next_v1(o, size) x;
    n := case when ids = '{}' then 0 else rowbeat.operate_v1(o, ids) end;
  exception
    when lock_not_available then blame := 'another transaction that is still open has it';
    when others then blame := sqlerrm;
  end;
  if blame is null then
    update rowbeat.operations x set done = x.done + n, skipped = x.skipped + cardinality(ids) - n, last_id = coalesce(upto, x.last_id), batch = least(500, x.batch * 4),
      next_at = case when throttle is null then clock_timestamp()
        else greatest(x.next_at, clock_timestamp() - interval '250 milliseconds') + cardinality(ids) / throttle * interval '1 second' end,
      total = case when over then x.done + x.skipped + x.failed + cardinality(ids) else x.total end,
      state = case when over then 'done' else 'running' end, finished_at = case when over then clock_timestamp() end
    where x.id = o.id;
  elsif coalesce(ids, '{}') = '{}' then
    update rowbeat.operations x set state = 'failed', error = blame, finished_at = clock_timestamp() where x.id = o.id;
  elsif cardinality(ids) > 1 then
    update rowbeat.operations x set batch = greatest(1, cardinality(ids) / 8), error = blame, next_at = clock_timestamp() + interval '50 milliseconds' where x.id = o.id;
  else
    update rowbeat.operations x set failed = x.failed + 1, last_id = ids[1], error = blame where x.id = o.id;
  end if;
  return exists (select from rowbeat.operations x where x.state = 'running' and x.next_at <= clock_timestamp());
end $$;

create function rowbeat.start_operation_v1(kind text, filter jsonb, options jsonb, by text) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  why text := rowbeat.invalid_operation_v1(kind, filter, options); made uuid;
begin
  if why is not null then raise exception '%', why using errcode = 'invalid_parameter_value'; end if;
  delete from rowbeat.operations o where o.finished_at < clock_timestamp() - interval '30 days';
  -- From now on, not from whenever its turn comes.
  if options->>'delay' is not null then
    options := options - 'delay' || jsonb_build_object('eta', clock_timestamp() + rowbeat.seconds_v1(options->'delay') * interval '1 second'); end if;
  insert into rowbeat.operations as o (kind, filter, options, created_by) values (kind, filter, options, coalesce(by, session_user)) returning o.id into made;
  perform pg_notify('rowbeat_parked', '');
  return made;
end $$;

create function rowbeat.start_operation(kind text, filter jsonb, options jsonb default '{}') returns uuid language sql security definer set search_path = pg_catalog, pg_temp as $$
  select rowbeat.start_operation_v1(kind, filter, options, null)
$$;
comment on function rowbeat.start_operation is 'Begins to revoke, retry, reschedule, delete, purge or move all runs that match, and returns the id of its row in rowbeat.operations; workers do the work. Errors: 22023 invalid (names the field).';

create function rowbeat.stop_operation_v1(which uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update rowbeat.operations o set state = 'stopped', finished_at = clock_timestamp() where o.id = which and o.state = 'running';
  return (select o.state from rowbeat.operations o where o.id = which);
end $$;

create function rowbeat.stop_operation(id uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  state text := rowbeat.stop_operation_v1(id);
begin
  if state is null then raise exception 'operation % is unknown: it was never begun, or it ended over 30 days ago', id using errcode = 'no_data_found'; end if;
  return state;
end $$;
comment on function rowbeat.stop_operation is 'Stops an operation after the step it is at, and returns its state after; what was done stays done. Errors: P0002 unknown id.';

revoke execute on function rowbeat.delete_run, rowbeat.delete_runs_v1, rowbeat.end_waiting_v3, rowbeat.expire_parked_v1, rowbeat.expires_at_v1, rowbeat.invalid_filter_v1, rowbeat.invalid_operation_v1, rowbeat.kept_options_v1,
  rowbeat.move_runs_v1, rowbeat.operate_v1, rowbeat.operation_next_v1, rowbeat.operation_places_v1, rowbeat.operation_source_v1, rowbeat.pass_on_keys_v1, rowbeat.reschedule, rowbeat.reschedule_many_v1,
  rowbeat.reschedule_v1, rowbeat.retry, rowbeat.retry_body_v1, rowbeat.retry_v1, rowbeat.start_operation, rowbeat.start_operation_v1, rowbeat.stop_operation, rowbeat.stop_operation_v1, rowbeat.ungated_v1, rowbeat.unknown_run_v1, rowbeat.words_v1, rowbeat.work_operation_v1, rowbeat.wrong_state_v1 from public;
