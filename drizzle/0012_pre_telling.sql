-- Enqueue that tells: what POST /v1/runs does. To answer the run as it was stored took a second round trip and a look into
-- three places; here the rows that the same call has just written are read by their own index, and nothing else is. What a
-- caller's unique key or id kept instead has no row of ours: its run is null, and whoever asks looks it up as any other.

-- The documents of runs that this transaction wrote, as rowbeat.run would tell them: nobody can have begun one yet.
-- A session that began when the tables were small must not go on to read them, or an index of another order, whole: planned anew each time,
-- which costs less than a run.
create function rowbeat.fresh_runs_v1(ids uuid[]) returns table (id uuid, run text) language sql volatile set enable_seqscan = off set plan_cache_mode = force_custom_plan as $$
  select f.id, row_to_json(f)::text from (
    select r.id, r.task, r.queue, r.state, r.reason, r.priority, r.p->'input' as input, coalesce((r.p->>'attempt')::integer, 0) as attempt,
      coalesce((r.p->>'attempts_max')::integer, 1) as attempts_max, coalesce((r.p->>'redeliveries')::integer, 0) as redeliveries, r.created_at, r.run_at,
      (r.p->>'expires_at')::timestamptz as expires_at, (r.p->>'time_limit')::float8 as time_limit, (r.p->>'soft_time_limit')::float8 as soft_time_limit,
      r.p->>'unique_key' as unique_key, coalesce(r.p->'tags', '[]') as tags, coalesce(r.p->'headers', '{}') as headers, r.p->>'parent' as parent,
      r.p->>'retry_of' as retry_of, r.p->>'schedule' as schedule, (r.p->>'due_at')::timestamptz as due_at
    from (
      select j.key::uuid, substr(t.identifier, strpos(t.identifier, ':') + 1), split_part(t.identifier, ':', 1), 'PENDING', null::text, j.priority, j.payload::jsonb, j.created_at, j.run_at
      from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id where j.key::uuid = any (ids)
      union all
      select k.id, k.task, k.queue, case k.reason when 'eta' then 'SCHEDULED' else 'PENDING' end, k.reason, k.priority, k.payload::jsonb, k.created_at, coalesce(k.release_at, k.created_at)
      from rowbeat.parked k where k.id = any (ids)
    ) r(id, task, queue, state, reason, priority, p, created_at, run_at)
  ) f
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

create function rowbeat.enqueue_same_told_v1(fields jsonb, inputs jsonb) returns table (ordinal integer, id uuid, run text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  ids uuid[] := array(select rowbeat.enqueue_same_v1(fields, inputs));
begin
  return query select o.ordinal::integer, o.id, f.run from unnest(ids) with ordinality o(id, ordinal) join rowbeat.fresh_runs_v1(ids) f on f.id = o.id order by o.ordinal;
end $$;
comment on function rowbeat.enqueue_same_told_v1 is 'enqueue_same, and the document of each run.';

revoke execute on function rowbeat.fresh_runs_v1, rowbeat.enqueue_many_told_v1, rowbeat.enqueue_same_told_v1 from public;
