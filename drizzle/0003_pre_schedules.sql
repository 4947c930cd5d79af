-- Schedules: rows that fire runs. Anybody who may write the table schedules work; the triggers keep what the beat relies on
-- true whatever the SQL was: the version, the moment from which instants count, and a cleared next_run_at after a change of timing.
--
-- When the next instant is, is decided in one place, by the beat (TypeScript): time zones, crontab and sunsets are not written
-- twice. It reads rows that are due or not armed, decides, and hands its decisions to fire_v1 or arm_v1, which take each
-- row only if it still is as it was read. No lock outlives a statement, so a beat that is killed, frozen or cut off holds up nobody.

-- It answers null for null already; said so, it is not called at all for what a run leaves out, which was a third of a firing's cost.
alter function rowbeat.seconds_v1(jsonb) strict;

create function rowbeat.invalid_schedule_v1(schedule jsonb) returns text language plpgsql immutable parallel safe as $$
declare
  kinds jsonb := '{"crontab": ["minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone", "mode"],
                   "interval": ["every", "period"], "solar": ["event", "latitude", "longitude"], "clocked": ["at"]}';
  known text[]; field text;
begin
  if jsonb_typeof(schedule) is distinct from 'object' then return 'must be an object such as {"kind": "interval", "every": 10, "period": "minutes"}'; end if;
  if not kinds ? coalesce(schedule->>'kind', '') then return 'kind must be crontab, interval, solar or clocked'; end if;
  known := array(select jsonb_array_elements_text(kinds->(schedule->>'kind')));
  select k into field from jsonb_object_keys(schedule) k where k <> all (known || 'kind'::text) limit 1;
  if found then return '"' || field || '" is no part of a ' || (schedule->>'kind') || '; known are ' || array_to_string(known, ', '); end if;
  if schedule->>'kind' = 'crontab' then
    select k into field from jsonb_each(schedule) e(k, v) where jsonb_typeof(v) not in ('string', 'number') limit 1;
    return case when found then field || ' must be text such as "*/15"' end;
  end if;
  select k into field from unnest(known) k where schedule->>k is null limit 1;
  if found then return field || ' is missing'; end if;
  select k into field from unnest('{every,latitude,longitude}'::text[]) k where schedule ? k and jsonb_typeof(schedule->k) <> 'number' limit 1;
  if found then return field || ' must be a number'; end if;
  select k into field from unnest('{period,event,at}'::text[]) k where schedule ? k and jsonb_typeof(schedule->k) <> 'string' limit 1;
  return case when found then field || ' must be text' end;
end $$;
comment on function rowbeat.invalid_schedule_v1 is 'What is wrong with the shape of a schedule, or null. The beat judges what it means.';

create table rowbeat.schedules (
  id uuid primary key,
  name text not null unique check (char_length(name) between 1 and 200),
  task text not null check (task ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'),
  input jsonb not null default '{}',
  schedule jsonb not null,
  kind text generated always as (schedule->>'kind') stored,
  enabled boolean not null default true,
  queue text check (queue ~ '^[a-z][a-z0-9_-]{0,31}$'),
  priority smallint,
  tags text[] not null default '{}' check (cardinality(tags) <= 20),
  headers jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
  expires interval check (expires > '0'),
  one_off boolean not null default false,
  start_at timestamptz,
  end_at timestamptz,
  jitter interval check (jitter >= '0'),
  overlap text not null default 'allow' check (overlap in ('allow', 'skip', 'buffer_one', 'cancel_other')),
  catch_up text not null default 'last' check (catch_up in ('skip', 'last', 'all')),
  catch_up_window interval check (catch_up_window >= '0'),
  firings_max integer check (firings_max > 0),
  pause_reason text,
  resume_at timestamptz,
  failures_max integer check (failures_max > 0),
  failures integer not null default 0,
  origin text not null default 'user' check (origin in ('user', 'code')),
  edited_at timestamptz,
  version integer not null default 1,
  anchor_at timestamptz not null,
  next_run_at timestamptz,
  last_run_at timestamptz,
  firings_total bigint not null default 0,
  error text,
  description text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  since_at timestamptz not null default clock_timestamp(),
  buffered_at timestamptz,
  declared jsonb,
  declared_at timestamptz,
  constraint schedules_span check (end_at > start_at)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 1000);
create index schedules_due on rowbeat.schedules (next_run_at) where enabled;
create index schedules_unarmed on rowbeat.schedules (id) where enabled and next_run_at is null and error is null;
create index schedules_resume on rowbeat.schedules (resume_at) where not enabled and resume_at is not null;
create index schedules_buffered on rowbeat.schedules (id) where buffered_at is not null;
create index schedules_watched on rowbeat.schedules (id) where enabled and failures_max is not null;
create index schedules_task on rowbeat.schedules (task);
comment on table rowbeat.schedules is 'When tasks run by themselves. INSERT, UPDATE and DELETE are seen at once by every beat.';
comment on column rowbeat.schedules.since_at is 'Instants after this one count: set when the row is made, enabled, or its timing is edited.';
comment on column rowbeat.schedules.error is 'Why it cannot fire; it waits to be edited and stops nobody else.';
comment on column rowbeat.schedules.buffered_at is 'overlap buffer_one: the due instant that fires when the run before it has ended.';
comment on column rowbeat.schedules.declared is 'origin code: what the code last declared, whether or not an edit has taken the row over.';

create table rowbeat.firings (
  schedule_id uuid not null,
  due_at timestamptz not null,
  state text not null check (state in ('fired', 'skipped', 'missed')),
  reason text check (reason in ('manual', 'backfill', 'buffered', 'overlap', 'catch_up', 'window')),
  run_id uuid,
  fired_at timestamptz,
  lateness interval generated always as (fired_at - due_at) stored,
  version integer not null,
  count integer default 1,
  until_at timestamptz,
  primary key (schedule_id, due_at)
);
create index firings_due_at on rowbeat.firings using brin (due_at);
comment on table rowbeat.firings is 'What became of each due instant. A stretch of missed ones is one row: due_at to until_at, count of them (null: more than 10,000).';

-- The second half of enqueue_many_v1, for bodies that are known to be good and have no id or unique key of their own, or have it resolved ("kept" says
-- that one stands already): where each goes, and the bells. Answers the ids of those that are not kept, in order.
create function rowbeat.place_many_v1(runs jsonb, at timestamptz) returns uuid[] language plpgsql as $$
declare
  total integer := jsonb_array_length(runs); ids uuid[]; bells text[]; soon timestamptz; bell text;
begin
  if random() < total / 2500.0 then
    perform rowbeat.mark_overflow_v1(n.queue, n.count, n.best) from (
      select p.queue, count(*)::integer as count, min(p.priority)::integer as best from rowbeat.placed_v1(runs, at) p group by 1) n;
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
  return ids;
end $$;

create function rowbeat.enqueue_many_v2(runs jsonb) returns table (ordinal integer, id uuid, created boolean)
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
  if not runs @? '$[*] ? (exists (@.id) || exists (@.unique_key))' then
    if total = 1 then
      if random() < 1 / 2500.0 then
        perform rowbeat.mark_overflow_v1(p.queue, 1, p.priority::integer) from rowbeat.placed_v1(runs, at) p;
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

create or replace function rowbeat.enqueue_many(runs jsonb) returns table (ordinal integer, id uuid, created boolean) language sql
security definer set search_path = pg_catalog, pg_temp as $$
  select * from rowbeat.enqueue_many_v2(runs)
$$;

-- The one body that every firing enqueues, scheduled or by hand. Jitter delays the run, not the firing: its due instant stays what it is.
create function rowbeat.schedule_body_v1(s rowbeat.schedules, due timestamptz, more jsonb default '{}') returns jsonb language sql volatile as $$
  select jsonb_strip_nulls(jsonb_build_object('task', s.task, 'queue', s.queue, 'priority', s.priority, 'schedule', s.name, 'due_at', due,
      'expires', due + s.expires, 'tags', to_jsonb(nullif(s.tags, '{}')), 'eta', due + random() * s.jitter))
    || case when s.headers = '{}' then '{}' else jsonb_build_object('headers', s.headers) end || jsonb_build_object('input', s.input) || more
$$;

create function rowbeat.guard_schedule_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  at timestamptz := clock_timestamp(); wrong text := rowbeat.invalid_schedule_v1(new.schedule); timed boolean; meant boolean;
begin
  if wrong is not null then
    raise exception 'schedule: %', wrong using errcode = 'check_violation', table = 'schedules', schema = 'rowbeat', constraint = 'schedules_shape';
  end if;
  -- What an enqueue would refuse is refused here, so that a firing need not look again.
  wrong := rowbeat.invalid_run_v1(rowbeat.schedule_body_v1(new, at));
  if wrong is not null then raise exception '%', wrong using errcode = case when wrong like 'input: is larger%' then 'program_limit_exceeded' else 'check_violation' end; end if;
  new.one_off := new.one_off or new.schedule->>'kind' = 'clocked';
  if tg_op = 'INSERT' then
    new.id := coalesce(new.id, rowbeat.uuid7());
    new.version := 1; new.failures := 0; new.firings_total := 0; new.created_at := at; new.updated_at := at;
    new.next_run_at := null; new.last_run_at := null; new.error := null; new.buffered_at := null; new.since_at := at;
    new.anchor_at := date_trunc('milliseconds', coalesce(new.anchor_at, new.start_at, at));
    return new;
  end if;
  meant := (new.name, new.task, new.input, new.schedule, new.queue, new.priority, new.tags, new.headers, new.expires, new.one_off, new.start_at, new.end_at,
      new.jitter, new.overlap, new.catch_up, new.catch_up_window, new.firings_max, new.failures_max, new.anchor_at, new.description)
    is distinct from (old.name, old.task, old.input, old.schedule, old.queue, old.priority, old.tags, old.headers, old.expires, old.one_off, old.start_at, old.end_at,
      old.jitter, old.overlap, old.catch_up, old.catch_up_window, old.firings_max, old.failures_max, old.anchor_at, old.description);
  new.version := old.version;
  if not meant and (new.enabled, new.pause_reason, new.resume_at) is not distinct from (old.enabled, old.pause_reason, old.resume_at) then return new; end if;
  new.version := old.version + 1;
  new.updated_at := at;
  if meant and coalesce(current_setting('rowbeat.writer', true), '') <> 'code' then new.edited_at := at; end if;
  if new.start_at is distinct from old.start_at and new.anchor_at = old.anchor_at then new.anchor_at := coalesce(new.start_at, new.anchor_at); end if;
  new.anchor_at := date_trunc('milliseconds', new.anchor_at);
  timed := (new.schedule, new.enabled, new.start_at, new.end_at, new.anchor_at) is distinct from (old.schedule, old.enabled, old.start_at, old.end_at, old.anchor_at);
  if new.enabled then new.pause_reason := null; new.resume_at := null; end if;
  if new.enabled and not old.enabled then new.failures := 0; end if;
  if timed or old.error is not null then
    -- From now on; but what fell due in the last second, and is with a beat this moment, is not lost by the edit.
    new.since_at := case when not (old.enabled and new.enabled) or old.error is not null then at
      when old.next_run_at is null then least(at, greatest(old.since_at, at - interval '1 second'))
      when old.next_run_at between at - interval '1 second' and at then old.next_run_at - interval '1 millisecond' else at end;
    new.next_run_at := null;
    new.buffered_at := null;
    new.error := null;
  end if;
  return new;
end $$;

create function rowbeat.tell_schedules_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('rowbeat_schedules', '');
  return null;
end $$;

-- The beat's own writes say so (rowbeat.writer), and are neither edits nor news.
create trigger guard_insert before insert on rowbeat.schedules for each row execute function rowbeat.guard_schedule_v1();
create trigger guard_update before update of name, task, input, schedule, enabled, queue, priority, tags, headers, expires, one_off, start_at, end_at, jitter,
    overlap, catch_up, catch_up_window, firings_max, pause_reason, resume_at, failures_max, anchor_at, description, version on rowbeat.schedules
  for each row when (coalesce(current_setting('rowbeat.writer', true), '') <> 'beat') execute function rowbeat.guard_schedule_v1();
create trigger tell_insert after insert or delete on rowbeat.schedules for each statement execute function rowbeat.tell_schedules_v1();
create trigger tell_update after update of name, task, input, schedule, enabled, queue, priority, tags, headers, expires, one_off, start_at, end_at, jitter,
    overlap, catch_up, catch_up_window, firings_max, pause_reason, resume_at, failures_max, anchor_at, description, version on rowbeat.schedules
  for each statement when (coalesce(current_setting('rowbeat.writer', true), '') <> 'beat') execute function rowbeat.tell_schedules_v1();

create function rowbeat.create_schedule_v1(name text, task text, schedule jsonb, input jsonb, options jsonb) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  known text[] := '{enabled,queue,priority,tags,headers,expires,one_off,start_at,end_at,jitter,overlap,catch_up,catch_up_window,firings_max,failures_max,anchor_at,description}';
  field text; made uuid;
begin
  if jsonb_typeof(options) is distinct from 'object' then
    raise exception 'options: must be an object such as {"queue": "high"}' using errcode = 'invalid_parameter_value';
  end if;
  select k into field from jsonb_object_keys(options) k where k <> all (known) limit 1;
  if found then raise exception 'options: "%" is not an option of a schedule; known are %', field, array_to_string(known, ', ') using errcode = 'invalid_parameter_value'; end if;
  foreach field in array '{expires,jitter,catch_up_window}'::text[] loop
    if options->>field is not null and coalesce(rowbeat.seconds_v1(options->field), -1) < 0 then
      raise exception 'options: % must be seconds or text such as "30s", "10 minutes"', field using errcode = 'invalid_parameter_value'; end if;
  end loop;
  foreach field in array '{start_at,end_at,anchor_at}'::text[] loop
    if options->>field is not null and rowbeat.instant_v1(options->>field) is null then
      raise exception 'options: % must be an instant such as 2026-01-31T12:00:00Z', field using errcode = 'invalid_parameter_value'; end if;
  end loop;
  insert into rowbeat.schedules (name, task, schedule, input, enabled, queue, priority, tags, headers, expires, one_off, start_at, end_at, jitter, overlap,
    catch_up, catch_up_window, firings_max, failures_max, anchor_at, description)
  select create_schedule_v1.name, create_schedule_v1.task, create_schedule_v1.schedule, coalesce(create_schedule_v1.input, '{}'),
    coalesce(o.enabled, true), o.queue, o.priority, coalesce(o.tags, '{}'), coalesce(o.headers, '{}'),
    rowbeat.seconds_v1(options->'expires') * interval '1 second', coalesce(o.one_off, false), o.start_at, o.end_at,
    rowbeat.seconds_v1(options->'jitter') * interval '1 second', coalesce(o.overlap, 'allow'), coalesce(o.catch_up, 'last'),
    rowbeat.seconds_v1(options->'catch_up_window') * interval '1 second', o.firings_max, o.failures_max, o.anchor_at, coalesce(o.description, '')
  from jsonb_to_record(options) o(enabled boolean, queue text, priority smallint, tags text[], headers jsonb, one_off boolean, start_at timestamptz,
    end_at timestamptz, overlap text, catch_up text, firings_max integer, failures_max integer, anchor_at timestamptz, description text)
  returning id into made;
  return made;
end $$;

create function rowbeat.create_schedule(name text, task text, schedule jsonb, input jsonb default '{}', options jsonb default '{}') returns uuid
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select rowbeat.create_schedule_v1(name, task, schedule, input, options)
$$;
comment on function rowbeat.create_schedule is 'Makes a schedule and returns its id. options: the other columns of rowbeat.schedules, durations as seconds or text. Errors: 22023 invalid, 23505 a name that stands, 23514 a wrong shape.';

-- Runs of a schedule that have not ended, newest first; the last 20 firings are looked at.
create function rowbeat.live_runs_v1(which uuid) returns setof uuid language sql stable as $$
  select f.run_id from (
    select run_id, due_at from rowbeat.firings where schedule_id = which and state = 'fired' order by due_at desc limit 20) f
  where rowbeat.is_live_v1(f.run_id)
$$;

-- overlap, for a due instant of a row that is locked: why it may not fire now, or null. cancel_other ends what stands in its way.
create function rowbeat.hinder_v1(s rowbeat.schedules) returns text language plpgsql volatile as $$
declare
  live uuid[];
begin
  if s.overlap = 'allow' then return null; end if;
  live := array(select rowbeat.live_runs_v1(s.id));
  if live = '{}' then return null; end if;
  if s.overlap <> 'cancel_other' then return s.overlap; end if;
  perform rowbeat.revoke_v1(r, true, 'replaced by the next firing of its schedule') from unnest(live) r where not rowbeat.end_waiting_v2(r, 'replaced', 'replaced by the next firing of its schedule', null);
  return null;
end $$;

-- Pauses schedules whose last failures_max finished runs all failed. Runs of an earlier version do not count: an edit or a resume starts anew.
create function rowbeat.pause_failing_v1(schedules uuid[] default null) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s record; paused integer := 0; failed integer;
begin
  for s in select x.id, x.version, x.failures, x.failures_max from rowbeat.schedules x
      where x.enabled and x.failures_max is not null and (schedules is null or x.id = any (schedules)) order by x.id for update skip locked loop
    select count(*) into failed from (
      select bool_and(e.state = 'FAILURE') over (order by e.due_at desc) as still from (
        select f.due_at, r.state from rowbeat.firings f join rowbeat.results r on r.id = f.run_id
        where f.schedule_id = s.id and f.state = 'fired' and f.version = s.version and r.state in ('SUCCESS', 'FAILURE')
        order by f.due_at desc limit s.failures_max) e) x
    where x.still;
    continue when failed = s.failures;
    perform set_config('rowbeat.writer', 'beat', true);
    if failed >= s.failures_max then
      update rowbeat.schedules x set enabled = false, failures = failed, next_run_at = null, buffered_at = null, version = x.version + 1,
        pause_reason = failed || case failed when 1 then ' run' else ' runs in a row' end || ' failed', updated_at = clock_timestamp() where x.id = s.id;
      paused := paused + 1;
    else
      update rowbeat.schedules x set failures = failed where x.id = s.id;
    end if;
    perform set_config('rowbeat.writer', '', true);
  end loop;
  return paused;
end $$;

-- overlap buffer_one: fires the instant that waited, once the run before it has ended.
create function rowbeat.fire_buffered_v1(schedules uuid[] default null) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s rowbeat.schedules; run uuid; done integer := 0;
begin
  for s in select x.* from rowbeat.schedules x where x.buffered_at is not null and (schedules is null or x.id = any (schedules)) order by x.id for update skip locked loop
    continue when exists (select rowbeat.live_runs_v1(s.id));
    begin
      if not exists (select from rowbeat.firings f where f.schedule_id = s.id and f.due_at = s.buffered_at) then
        select m.id into run from rowbeat.enqueue_many_v2(jsonb_build_array(rowbeat.schedule_body_v1(s, s.buffered_at))) m;
        insert into rowbeat.firings (schedule_id, due_at, state, reason, run_id, fired_at, version)
        values (s.id, s.buffered_at, 'fired', 'buffered', run, clock_timestamp(), s.version);
      end if;
      update rowbeat.schedules x set buffered_at = null, last_run_at = s.buffered_at, firings_total = x.firings_total + 1 where x.id = s.id;
    exception when integrity_constraint_violation or data_exception or plpgsql_error or program_limit_exceeded then
      update rowbeat.schedules x set buffered_at = null, next_run_at = null, error = sqlerrm where x.id = s.id;
    end;
    done := done + 1;
  end loop;
  return done;
end $$;

-- What there is to do, each question answered from the head of a partial index. A session keeps its plans: one that was made while the table
-- was small, or while all its rows were new, would scan it at each look until the next ANALYZE; hence no scans here, and none in a tick.
create function rowbeat.prospect_v1(out now float8, out due float8, out unarmed boolean, out resumable boolean, out buffered boolean, out watched boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  at timestamptz := clock_timestamp();
begin
  now := extract(epoch from at) * 1000;
  due := extract(epoch from (select min(s.next_run_at) from rowbeat.schedules s where s.enabled) - at) * 1000;
  unarmed := exists (select from rowbeat.schedules s where s.enabled and s.next_run_at is null and s.error is null);
  resumable := exists (select from rowbeat.schedules s where not s.enabled and s.resume_at is not null and s.resume_at <= at);
  buffered := exists (select from rowbeat.schedules s where s.buffered_at is not null);
  watched := exists (select from rowbeat.schedules s where s.enabled and s.failures_max is not null);
end $$;

-- One tick. A decision: id, since and seen (the since_at and next_run_at it was made for), fire (due instants), missed (a stretch: due_at, until_at, count,
-- reason) or null, next (null: no more). A row whose timing was edited since, or that is in another beat's hands, is left out; so each instant fires once,
-- and the primary key of firings says so again.
create function rowbeat.fire_v1(decisions jsonb) returns table (taken integer, fired integer, skipped integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  watched uuid[]; buffered uuid[]; bodies jsonb; runs uuid[];
begin
  select array_agg(s.id) filter (where s.failures_max is not null), array_agg(s.id) filter (where s.buffered_at is not null) into watched, buffered
  from jsonb_to_recordset(decisions) d(id uuid) join rowbeat.schedules s on s.id = d.id where s.failures_max is not null or s.buffered_at is not null;
  if watched is not null then perform rowbeat.pause_failing_v1(watched); end if;
  if buffered is not null then perform rowbeat.fire_buffered_v1(buffered); end if;

  perform set_config('rowbeat.writer', 'beat', true);
  with mine as materialized (
    select s, d.fire, d.missed, d.next
    from jsonb_to_recordset(decisions) d(id uuid, since timestamptz, seen timestamptz, fire timestamptz[], missed jsonb, next timestamptz)
    join rowbeat.schedules s on s.id = d.id
    where s.enabled and s.since_at = d.since and date_trunc('milliseconds', s.next_run_at) = d.seen for update of s skip locked
  ), due as materialized (
    select m.s, (m.s).id, (m.s).version, (m.s).buffered_at, x.at, h.why, case when h.why is null then rowbeat.uuid7() end as run
    from mine m cross join lateral unnest(m.fire) x(at)
    cross join lateral (select case when (m.s).overlap <> 'allow' then rowbeat.hinder_v1(m.s) end as why offset 0) h
  ), told as (
    -- What stands already, by a backfill or a run by hand, stays as it is. To ask before would be a scan: plans are kept from when the table was small.
    insert into rowbeat.firings (schedule_id, due_at, state, reason, run_id, fired_at, version, count, until_at)
    select u.id, u.at, 'fired', null, u.run, clock_timestamp(), u.version, 1, null::timestamptz from due u where u.why is null
    union all
    -- The first instant that finds a run in its way is kept for later under buffer_one, not skipped.
    select u.id, u.at, 'skipped', 'overlap', null, null, u.version, 1, null from due u
    where u.why is not null and (u.why <> 'buffer_one' or u.buffered_at is not null)
    union all
    select (m.s).id, (m.missed->>'due_at')::timestamptz, 'missed', m.missed->>'reason', null, null, (m.s).version, (m.missed->>'count')::integer, (m.missed->>'until_at')::timestamptz
    from mine m where jsonb_typeof(m.missed) = 'object'
    on conflict do nothing returning schedule_id, due_at, run_id
  ), sums as materialized (
    -- Added up, not joined: the planner takes these lists for single rows, and would go through one for each row of the other.
    select x.id, max(x.next) as next, max(x.last) as last, sum(x.n) as n, max(x.total) + sum(x.n) as total, max(x.most) as most, bool_or(x.one_off) as one_off, min(x.kept) as kept
    from (
      select (m.s).id, m.next, null::timestamptz as last, 0 as n, (m.s).firings_total as total, (m.s).firings_max as most, (m.s).one_off, null::timestamptz as kept from mine m
      union all
      select t.schedule_id, null, t.due_at, 1, null, null, null, null from told t where t.run_id is not null
      union all
      select u.id, null, null, 0, null, null, null, u.at from due u where u.why = 'buffer_one') x
    group by x.id
  ), moved as (
    -- After the last firing it is switched off; neither that nor a firing is an edit.
    update rowbeat.schedules s set next_run_at = case when not e.ended then e.next end, enabled = not e.ended, last_run_at = coalesce(e.last, s.last_run_at),
      firings_total = e.total, buffered_at = coalesce(s.buffered_at, e.kept)
    from (select w.*, w.next is null or w.one_off and (w.n > 0 or w.kept is not null) or coalesce(w.total >= w.most, false) as ended from sums w) e
    where s.id = e.id
  )
  select (select count(*) from mine), (select array_agg(t.run_id) from told t where t.run_id is not null), count(*) filter (where u.why is not null),
    jsonb_agg(rowbeat.schedule_body_v1(u.s, u.at, jsonb_build_object('id', u.run)) order by u.at, u.id) filter (where u.why is null)
  into taken, runs, skipped, bodies from due u;
  fired := coalesce(cardinality(runs), 0);
  if fired < jsonb_array_length(bodies) then
    bodies := (select jsonb_agg(b.v order by b.n) from jsonb_array_elements(bodies) with ordinality b(v, n) where (b.v->>'id')::uuid = any (runs));
  end if;
  if fired > 0 then perform rowbeat.place_many_v1(bodies, statement_timestamp()); end if;
  perform set_config('rowbeat.writer', '', true);
  return next;
end $$;
comment on function rowbeat.fire_v1 is 'One tick of a beat: firings, their runs and the next instants in one transaction, for the rows that are still as they were when it decided.';

-- Writes the first instant of rows that are new or were edited; or why there is none. A row that somebody holds is left for later.
create function rowbeat.arm_v1(decisions jsonb) returns integer language sql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
  with mine as materialized (
    select s.id, d.next, d.error
    from jsonb_to_recordset(decisions) d(id uuid, version integer, since timestamptz, next timestamptz, error text) join rowbeat.schedules s on s.id = d.id
    where s.version = d.version and s.since_at = d.since and s.enabled and s.next_run_at is null for update of s skip locked
  ), armed as (
    update rowbeat.schedules s set next_run_at = m.next, error = m.error from mine m where s.id = m.id returning 1
  )
  select count(*)::integer from armed
$$;

-- A row that cannot be fired as it is: marked, and no longer looked at until it is edited.
create function rowbeat.mark_schedule_v1(which uuid, at_version integer, why text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  update rowbeat.schedules s set error = why, next_run_at = null
  where s.id = (select x.id from rowbeat.schedules x where x.id = which and x.version = at_version for update skip locked)
$$;

-- Run now, or as of an instant, with every option of the schedule; `more` are fields of POST /v1/runs that win over them.
create function rowbeat.run_schedule_v1(which uuid, as_of timestamptz, more jsonb) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s rowbeat.schedules; run uuid; due timestamptz := date_trunc('milliseconds', coalesce(as_of, clock_timestamp()));
begin
  select * into s from rowbeat.schedules x where x.id = which for update;
  if not found then raise exception 'schedule % is unknown', which using errcode = 'no_data_found'; end if;
  s.jitter := null;
  select m.id into run from rowbeat.enqueue_many_v2(jsonb_build_array(
    rowbeat.schedule_body_v1(s, due, case when s.expires is null then '{}' else jsonb_build_object('expires', clock_timestamp() + s.expires) end || coalesce(more, '{}')))) m;
  insert into rowbeat.firings (schedule_id, due_at, state, reason, run_id, fired_at, version)
  values (s.id, due, 'fired', 'manual', run, clock_timestamp(), s.version) on conflict do nothing;
  return run;
end $$;

-- Fires past instants that were not fired; answers the runs. What was missed and is made up for is a fired instant from then on; where it was the head
-- of a stretch, what is left of the stretch is told at its last instant.
create function rowbeat.backfill_v1(which uuid, instants timestamptz[]) returns table (due_at timestamptz, run_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  s rowbeat.schedules; dues timestamptz[];
begin
  select * into s from rowbeat.schedules x where x.id = which for update;
  if not found then raise exception 'schedule % is unknown', which using errcode = 'no_data_found'; end if;
  s.jitter := null;
  s.expires := null;
  dues := array(select distinct d from unnest(instants) d
    where not exists (select from rowbeat.firings f where f.schedule_id = s.id and f.due_at = d and f.state = 'fired') order by d);
  insert into rowbeat.firings (schedule_id, due_at, state, reason, version, count, until_at)
  select f.schedule_id, f.until_at, f.state, f.reason, f.version, f.count - (select count(*) from unnest(dues) d where d between f.due_at and f.until_at), f.until_at
  from rowbeat.firings f where f.schedule_id = s.id and f.due_at = any (dues) and f.until_at > f.due_at and f.until_at <> all (dues)
  on conflict do nothing;
  return query
  with made as materialized (
    select u.due, m.id from rowbeat.enqueue_many_v2((select coalesce(jsonb_agg(rowbeat.schedule_body_v1(s, d) order by d), '[]') from unnest(dues) d)) m
    join unnest(dues) with ordinality u(due, n) on u.n = m.ordinal
  )
  insert into rowbeat.firings as f (schedule_id, due_at, state, reason, run_id, fired_at, version)
  select s.id, made.due, 'fired', 'backfill', made.id, clock_timestamp(), s.version from made
  on conflict (schedule_id, due_at) do update set state = 'fired', reason = 'backfill', run_id = excluded.run_id, fired_at = excluded.fired_at,
    version = excluded.version, count = 1, until_at = null
  returning f.due_at, f.run_id;
end $$;

-- What code declares: made when it is missing, updated while nobody edited it; an edited row only remembers what the code says now, so that it
-- can be given back. Answers what became of each: made, updated, unchanged, edited (left to its editor), taken (a user made one of that name).
create function rowbeat.declare_v1(definitions jsonb) returns table (name text, outcome text) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  d jsonb; row rowbeat.schedules; s rowbeat.schedules;
begin
  perform set_config('rowbeat.writer', 'code', true);
  for d in select v from jsonb_array_elements(definitions) v order by v->>'name' loop
    row := jsonb_populate_record(null::rowbeat.schedules, d);
    insert into rowbeat.schedules as x (name, task, input, schedule, enabled, queue, priority, tags, headers, expires, one_off, start_at, end_at, jitter, overlap,
      catch_up, catch_up_window, firings_max, failures_max, anchor_at, description, origin, declared, declared_at)
    values (row.name, row.task, row.input, row.schedule, row.enabled, row.queue, row.priority, row.tags, row.headers, row.expires, row.one_off, row.start_at, row.end_at,
      row.jitter, row.overlap, row.catch_up, row.catch_up_window, row.firings_max, row.failures_max, row.anchor_at, row.description, 'code', d, clock_timestamp())
    on conflict (name) do nothing returning * into s;
    name := row.name;
    outcome := 'made';
    if not found then
      select * into s from rowbeat.schedules x where x.name = row.name for update;
      continue when not found;
      outcome := case when s.origin = 'user' then 'taken' when s.edited_at is not null then 'edited' when s.declared = d then 'unchanged' else 'updated' end;
      if outcome = 'updated' then
        update rowbeat.schedules x set task = row.task, input = row.input, schedule = row.schedule, queue = row.queue, priority = row.priority, tags = row.tags,
          headers = row.headers, expires = row.expires, one_off = row.one_off, start_at = row.start_at, end_at = row.end_at, jitter = row.jitter, overlap = row.overlap,
          catch_up = row.catch_up, catch_up_window = row.catch_up_window, firings_max = row.firings_max, failures_max = row.failures_max,
          anchor_at = coalesce(row.anchor_at, x.anchor_at), description = row.description,
          -- Switched off by hand stays switched off, unless it is this that the code changed; what had come to its end begins anew with new instants.
          enabled = case when x.declared->'enabled' is distinct from d->'enabled' then row.enabled
            when (x.one_off and x.firings_total > 0 or x.firings_total >= x.firings_max or x.end_at <= clock_timestamp())
              and (x.schedule, x.one_off, x.end_at, x.firings_max) is distinct from (row.schedule, row.one_off, row.end_at, row.firings_max) then row.enabled
            else x.enabled end
        where x.id = s.id;
      end if;
      if outcome <> 'taken' then update rowbeat.schedules x set declared = d, declared_at = clock_timestamp() where x.id = s.id; end if;
    end if;
    return next;
  end loop;
  perform set_config('rowbeat.writer', '', true);
end $$;

revoke execute on all functions in schema rowbeat from public;
