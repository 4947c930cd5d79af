-- Revocation. What waits ends at once, in one statement. What a worker has taken cannot be ended from here without taking its lease away,
-- so it gets a row in rowbeat.revocations: from the commit on every worker knows of it (NOTIFY as a hint, the heartbeat as the net). Whoever runs
-- it tells its handler, whoever is about to start it does not, and the finish statement lets no try of it be parked for another.
--
-- The row takes no lock on the run: a revocation in a transaction that stays open for an hour holds up no worker. It stands for runs made before
-- it (`at`), so that an id that was forgotten and is used again is not revoked, and goes when its run has ended, settled by whichever worker comes first.

create table rowbeat.revocations (
  run_id uuid primary key,
  terminate boolean not null default false,
  reason text,
  at timestamptz not null default clock_timestamp()
);
comment on table rowbeat.revocations is 'Runs that were with a worker when they were revoked, and have not ended yet.';

create function rowbeat.revoked_error_v1(words text, cause jsonb) returns jsonb language sql immutable parallel safe as $$
  select case when words is not null or cause is not null then
    jsonb_build_object('name', 'RunRevoked', 'message', coalesce(words, 'the run was revoked'), 'code', 'RB_RUN_REVOKED', 'stack', null, 'cause', cause) end
$$;
comment on function rowbeat.revoked_error_v1 is 'The error of a revoked run: the words of who revoked it, and what its handler threw. Null when nobody said anything.';

-- Ends a run that waits (parked, or queued and not claimed) in one statement; false when it is with a worker, finished or unknown.
-- `until`: only a run made by then.
create function rowbeat.end_waiting_v2(run uuid, why text, words text, until timestamptz) returns boolean language plpgsql as $$
begin
  with gone as (
    delete from rowbeat_queue._private_jobs j where j.key = run::text and j.locked_at is null and (until is null or j.created_at <= until)
    returning j.key::uuid as id, (select t.identifier from rowbeat_queue._private_tasks t where t.id = j.task_id) as identifier, j.priority, j.payload, j.created_at, j.run_at
  ), unparked as (
    delete from rowbeat.parked p where p.id = run and (until is null or p.created_at <= until)
    returning p.id, p.queue || ':' || p.task as identifier, p.priority, p.payload, p.created_at, coalesce(p.release_at, p.parked_at) as run_at
  ), ended as (
    select * from gone union all select * from unparked
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

-- Answers the state after, null for an unknown id. Between two looks a run may move, in either direction: then it is looked for again.
create function rowbeat.revoke_v1(run uuid, harder boolean, words text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  now_is text;
begin
  words := coalesce(left(words, 2000), (select v.reason from rowbeat.revocations v where v.run_id = run));
  loop
    if rowbeat.end_waiting_v2(run, 'revoked', words, null) then return 'REVOKED'; end if;
    select r.state into now_is from rowbeat.run(run) r;
    if now_is is null or now_is in ('SUCCESS', 'FAILURE', 'REVOKED') then return now_is; end if;
    if exists (select from rowbeat_queue._private_jobs j where j.key = run::text and j.locked_at is not null) then
      -- A second one may make it harder, never softer.
      insert into rowbeat.revocations as v (run_id, terminate, reason) values (run, coalesce(harder, false), words)
      on conflict (run_id) do update set terminate = v.terminate or excluded.terminate, reason = coalesce(excluded.reason, v.reason), at = excluded.at;
      perform pg_notify('rowbeat_control', run::text);
      return now_is;
    end if;
  end loop;
end $$;

create function rowbeat.revoke(id uuid, terminate boolean default false, reason text default null) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  state text := rowbeat.revoke_v1(id, terminate, reason);
begin
  if state is null then raise exception 'run % is unknown: it was never enqueued, was rolled back, or its result expired', id using errcode = 'no_data_found'; end if;
  return state;
end $$;
comment on function rowbeat.revoke is 'Revokes a run in this transaction and returns its state after. What waits is REVOKED at once; what runs is told, and with terminate no longer waited for; what has finished stays. Errors: P0002 unknown id.';

-- What was with a worker when it was revoked and came back (a retry that was just being parked, a worker that stopped or died) ends here; what has ended needs
-- its row no more. Rows that another worker is settling are left to it.
create function rowbeat.settle_revocations_v1() returns void language plpgsql as $$
declare
  v rowbeat.revocations;
begin
  for v in select r.* from rowbeat.revocations r
      where not exists (select from rowbeat_queue._private_jobs j where j.key = r.run_id::text and j.locked_at is not null and j.created_at <= r.at) for update of r skip locked loop
    perform rowbeat.end_waiting_v2(v.run_id, 'revoked', v.reason, v.at);
    delete from rowbeat.revocations r where r.run_id = v.run_id
      and not exists (select from rowbeat_queue._private_jobs j where j.key = v.run_id::text and j.created_at <= v.at)
      and not exists (select from rowbeat.parked p where p.id = v.run_id and p.created_at <= v.at);
  end loop;
end $$;

revoke execute on function rowbeat.revoked_error_v1, rowbeat.end_waiting_v2, rowbeat.revoke_v1, rowbeat.revoke, rowbeat.settle_revocations_v1 from public;
