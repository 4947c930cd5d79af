-- The documented reading side. Made again whenever this file changes, in place, so that your grants on it and your views
-- over it stay; for that, columns are only ever added, at the end.
-- rowbeat.runs: one row per run wherever it is. Look up one by rowbeat.run(id): it asks each place by its own index.

create or replace view rowbeat.runs as
select j.key::uuid as id, substr(t.identifier, strpos(t.identifier, ':') + 1) as task, split_part(t.identifier, ':', 1) as queue,
  case when r.id is null then 'PENDING' when g.run_id is null then 'STARTED' else 'PROGRESS' end as state,
  null::text as reason, j.priority::integer as priority, (p->'input') as input, null::jsonb as result, null::jsonb as error,
  case when g.run_id is not null then jsonb_build_object('current', g.current, 'total', g.total, 'percent', round((100 * g.current / nullif(g.total, 0))::numeric, 1),
    'meta', g.meta, 'at', to_char(g.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end as progress,
  coalesce(r.attempt, (p->>'attempt')::integer, 0) as attempt, coalesce((p->>'attempts_max')::integer, 1) as attempts_max,
  coalesce((p->>'redeliveries')::integer, 0) as redeliveries, r.worker, j.created_at, j.run_at, r.started_at, null::timestamptz as finished_at,
  (p->>'expires_at')::timestamptz as expires_at, (p->>'time_limit')::float8 as time_limit, (p->>'soft_time_limit')::float8 as soft_time_limit,
  p->>'unique_key' as unique_key, case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) else '{}'::text[] end as tags,
  coalesce(p->'headers', '{}') as headers, (p->>'parent')::uuid as parent, (p->>'retry_of')::uuid as retry_of, p->>'schedule' as schedule, (p->>'due_at')::timestamptz as due_at
from rowbeat_queue._private_jobs j
join rowbeat_queue._private_tasks t on t.id = j.task_id
cross join lateral (select j.payload::jsonb as p offset 0) x
left join (
  select (l->>'id')::uuid as id, w.name as worker, (l->>'started_at')::timestamptz as started_at, (l->>'attempt')::integer as attempt, w.pools
  from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l
) r on r.id = j.key::uuid and j.locked_by = any (r.pools)
left join rowbeat.progress g on g.run_id = j.key::uuid
union all
select k.id, k.task, k.queue, case k.reason when 'eta' then 'SCHEDULED' when 'snooze' then 'SCHEDULED' when 'retry' then 'RETRY' else 'PENDING' end,
  k.reason, k.priority::integer, p->'input', null, null,
  case when g.run_id is not null then jsonb_build_object('current', g.current, 'total', g.total, 'percent', round((100 * g.current / nullif(g.total, 0))::numeric, 1),
    'meta', g.meta, 'at', to_char(g.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
  coalesce((p->>'attempt')::integer, 0), coalesce((p->>'attempts_max')::integer, 1), coalesce((p->>'redeliveries')::integer, 0), null,
  k.created_at, coalesce(k.release_at, k.created_at), null, null,
  (p->>'expires_at')::timestamptz, (p->>'time_limit')::float8, (p->>'soft_time_limit')::float8, p->>'unique_key',
  case when jsonb_typeof(p->'tags') = 'array' then array(select jsonb_array_elements_text(p->'tags')) else '{}'::text[] end,
  coalesce(p->'headers', '{}'), (p->>'parent')::uuid, (p->>'retry_of')::uuid, p->>'schedule', (p->>'due_at')::timestamptz
from rowbeat.parked k
cross join lateral (select k.payload::jsonb as p offset 0) x
left join rowbeat.progress g on g.run_id = k.id
union all
select f.id, f.task, f.queue, f.state, f.reason, f.priority::integer, f.input, f.result, f.error, f.progress, f.attempt, f.attempts_max, f.redeliveries, f.worker,
  f.created_at, f.run_at, f.started_at, f.finished_at, f.expires_at, f.time_limit, f.soft_time_limit, f.unique_key, coalesce(f.tags, '{}'), coalesce(f.headers, '{}'),
  f.parent, f.retry_of, f.schedule, f.due_at
from rowbeat.results f;

comment on view rowbeat.runs is 'Every run, wherever it is: waiting, running or finished. Stable; read it, never write it.';
comment on column rowbeat.runs.id is 'UUIDv7, so ids sort by age.';
comment on column rowbeat.runs.task is 'Name of the task, as in the code.';
comment on column rowbeat.runs.queue is 'Queue the run waits in or ran on.';
comment on column rowbeat.runs.state is 'PENDING, SCHEDULED, STARTED, PROGRESS, RETRY, SUCCESS, FAILURE or REVOKED.';
comment on column rowbeat.runs.reason is 'Why it is in this state, where the state has a reason: eta, retry, overflow, paused, error, attempts_exhausted, ...';
comment on column rowbeat.runs.priority is 'Lower runs first; -32768 to 32767, usually 0.';
comment on column rowbeat.runs.input is 'What the task is given.';
comment on column rowbeat.runs.result is 'What the task returned; null unless SUCCESS.';
comment on column rowbeat.runs.error is 'name, message, code, stack and cause of the error that ended it; null otherwise.';
comment on column rowbeat.runs.progress is 'current, total, percent, meta and at of the latest report; null when it never reported.';
comment on column rowbeat.runs.attempt is 'Tries started; 0 before the first.';
comment on column rowbeat.runs.attempts_max is 'Tries allowed.';
comment on column rowbeat.runs.redeliveries is 'Crashes of a worker that hit this run while it ran; the third ends it as worker_lost.';
comment on column rowbeat.runs.worker is 'Name of the worker that runs or ran it.';
comment on column rowbeat.runs.created_at is 'When it was enqueued.';
comment on column rowbeat.runs.run_at is 'When it may run, or might have run.';
comment on column rowbeat.runs.started_at is 'When its last try began.';
comment on column rowbeat.runs.finished_at is 'When its outcome was decided.';
comment on column rowbeat.runs.expires_at is 'When it is no longer worth running.';
comment on column rowbeat.runs.time_limit is 'Seconds a try may take.';
comment on column rowbeat.runs.soft_time_limit is 'Seconds after which a try is asked to stop.';
comment on column rowbeat.runs.unique_key is 'Held against a second run of the same task while this one has not finished.';
comment on column rowbeat.runs.tags is 'Labels given at enqueue.';
comment on column rowbeat.runs.headers is 'Context given at enqueue, such as a trace.';
comment on column rowbeat.runs.parent is 'The run that enqueued it.';
comment on column rowbeat.runs.retry_of is 'The finished run it repeats.';
comment on column rowbeat.runs.schedule is 'The schedule that fired it.';
comment on column rowbeat.runs.due_at is 'The instant of the schedule it stands for.';

-- plpgsql, so that each call is planned with the id known: each place is asked by its index, one partition of results.
create or replace function rowbeat.run(id uuid) returns setof rowbeat.runs language plpgsql stable as $$
begin
  return query select * from rowbeat.runs r where r.id = run.id limit 1;
end $$;
comment on function rowbeat.run is 'The run with this id, by index; no row when it is unknown.';

create or replace function rowbeat.run_json_v1(r rowbeat.runs) returns jsonb language sql immutable as $$
  select to_jsonb(r) || jsonb_build_object(
    'created_at', to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'run_at', to_char(r.run_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'started_at', to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'finished_at', to_char(r.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'expires_at', to_char(r.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'due_at', to_char(r.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;
comment on function rowbeat.run_json_v1 is 'A run as REST answers it: all keys, instants in RFC 3339 UTC with milliseconds.';
revoke execute on function rowbeat.run_json_v1(rowbeat.runs), rowbeat.run(uuid) from public;
