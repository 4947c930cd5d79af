-- Limits of tasks as they hold: what the code says, and over it what an operator set at run time (rowbeat.task_settings). rowbeat.tasks has the
-- values that hold, so gates and enqueue read one row; `code` keeps what each start of a process wrote, for when a setting is taken back.

alter table rowbeat.tasks add column code jsonb not null default '{}';
comment on column rowbeat.tasks.code is 'rate, rate_burst, time_limit and soft_time_limit as the code has them, where rowbeat.task_settings stands in for them.';
update rowbeat.tasks set code = jsonb_build_object('rate', rate, 'rate_burst', rate_burst, 'time_limit', time_limit, 'soft_time_limit', soft_time_limit);

create function rowbeat.overlay_task_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s rowbeat.task_settings;
  is_all boolean := tg_op = 'INSERT' or new.seen_at is distinct from old.seen_at;
begin
  -- A start of a process writes all of them, and when it did; an UPDATE by hand means those that it changes.
  if is_all or new.rate is distinct from old.rate then new.code := new.code || jsonb_build_object('rate', new.rate); end if;
  if is_all or new.rate_burst is distinct from old.rate_burst then new.code := new.code || jsonb_build_object('rate_burst', new.rate_burst); end if;
  if is_all or new.time_limit is distinct from old.time_limit then new.code := new.code || jsonb_build_object('time_limit', new.time_limit); end if;
  if is_all or new.soft_time_limit is distinct from old.soft_time_limit then new.code := new.code || jsonb_build_object('soft_time_limit', new.soft_time_limit); end if;
  select * into s from rowbeat.task_settings t where t.task = new.name;
  new.rate := nullif(coalesce(s.rate, new.code->>'rate'), 'none');
  new.rate_burst := coalesce(s.rate_burst, case when s.rate is null then (new.code->>'rate_burst')::integer end);
  new.time_limit := nullif(coalesce(s.time_limit, (new.code->>'time_limit')::float8), 0);
  new.soft_time_limit := nullif(coalesce(s.soft_time_limit, (new.code->>'soft_time_limit')::float8), 0);
  return new;
end $$;
create trigger overlay_task before insert or update of rate, rate_burst, time_limit, soft_time_limit, seen_at on rowbeat.tasks
  for each row execute function rowbeat.overlay_task_v1();

create function rowbeat.apply_settings_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update rowbeat.tasks t set seen_at = t.seen_at where t.name = coalesce(new.task, old.task);
  return null;
end $$;
create trigger apply_settings after insert or update or delete on rowbeat.task_settings for each row execute function rowbeat.apply_settings_v1();

revoke execute on function rowbeat.overlay_task_v1, rowbeat.apply_settings_v1 from public;
