-- The versions of a schedule, told from the audit log. Nothing more is stored: an edit's row holds what each column was before and is after, so whoever starts from
-- the row as it stands and takes the edits back one by one, latest first, sees it as it was. What is older than the log's 400 days, or than the log, is not known.

-- Versions below `below` (null: all), latest first. `changed`: columns that its edit changed; null of the first. Where the log ends before the first version,
-- the last one told has an author that nobody knows. What firings change is no edit: those columns are as they stand now.
create function rowbeat.schedule_versions_v1(which uuid, below integer, most integer)
  returns table (number integer, at timestamptz, action text, actor text, actor_kind text, via text, reason text, changed text[], schedule rowbeat.schedules)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  s rowbeat.schedules; was jsonb; e record; told integer := 0; known boolean := false;
begin
  select * into s from rowbeat.schedules x where x.id = which;
  if not found then return; end if;
  was := to_jsonb(s);
  number := s.version;
  for e in
    select (a.after->>'version')::integer as version, a.* from rowbeat.audit_log a
    where a.target_kind = 'schedule' and a.target = which::text and a.after ? 'version' order by 1 desc, a.id desc
  loop
    continue when e.version > number;
    exit when e.version < number or told = most;
    if below is null or number < below then
      at := e.at; action := e.action; actor := e.actor; actor_kind := e.actor_kind; via := e.via; reason := e.reason;
      changed := case when e.before is not null then array(select k from jsonb_object_keys(e.after) k where k not in ('version', 'kind') order by k) end;
      schedule := jsonb_populate_record(s, was);
      told := told + 1;
      return next;
    end if;
    known := e.before is null;
    exit when known;
    was := was || e.before;
    number := number - 1;
  end loop;
  if known or told = most or number >= below then return; end if;
  at := null; action := null; actor := null; actor_kind := null; via := null; reason := null; changed := null;
  schedule := jsonb_populate_record(s, was);
  return next;
end $$;
comment on function rowbeat.schedule_versions_v1 is 'Versions of a schedule from the audit log, latest first: who made each, what it changed, and the row as it was.';

-- A run as a firing at `due` would make it, for a transaction that is rolled back: what is answered is what would be stored, with every default and limit in force.
create function rowbeat.rehearse_schedule_v1(which uuid, due timestamptz, out run text, out live uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s rowbeat.schedules; made uuid;
begin
  select * into s from rowbeat.schedules x where x.id = which;
  if not found then raise exception 'schedule % is unknown', which using errcode = 'no_data_found'; end if;
  live := array(select rowbeat.live_runs_v1(which));
  select m.id into made from rowbeat.enqueue_many_v2(jsonb_build_array(rowbeat.schedule_body_v1(s, due))) m;
  select row_to_json(r)::text into run from rowbeat.run(made) r;
end $$;
comment on function rowbeat.rehearse_schedule_v1 is 'Enqueues what a firing at this instant would, and tells the run and the runs of the schedule that have not ended. For a transaction that is rolled back.';

revoke execute on function rowbeat.schedule_versions_v1, rowbeat.rehearse_schedule_v1 from public;
