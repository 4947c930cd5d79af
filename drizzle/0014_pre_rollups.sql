-- Rollups: what finished, counted once and kept, so that figures of a month read some thousands of rows and not millions of results.
-- No trigger and no column more: whoever does the upkeep counts what finished since the last count (a BRIN index finds it), and what
-- finished meanwhile is in the next. Nothing is counted twice and nothing is left out, for the count ends at an instant before which
-- nobody can finish any more: see roll_up_v1. Figures outlive the results that they count.

create table rowbeat.rollups (
  step integer not null check (step in (60, 1800, 86400)),
  by text not null check (by in ('queue', 'task', 'worker')),
  at timestamptz not null,
  name text not null,
  succeeded bigint not null,
  failed bigint not null,
  revoked bigint not null,
  took bigint[] not null,
  waited bigint[] not null,
  primary key (step, by, at, name)
) with (fillfactor = 70, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.1);
comment on table rowbeat.rollups is 'What finished in each minute (kept 2 days), half hour (100 days) and day (400 days), by queue, by task and by worker.';
comment on column rowbeat.rollups.step is 'Seconds from `at` on that the row counts; a minute and a half hour that are not over count what there is so far.';
comment on column rowbeat.rollups.took is 'How long they ran, by class: the class in the low 8 bits, how many above them. Class c is about exp(c / 10) milliseconds, right to a twentieth.';
comment on column rowbeat.rollups.waited is 'How long they waited for a worker, in the same way.';

create table rowbeat.rolled (
  one boolean primary key default true check (one),
  done_at timestamptz not null default '-infinity',
  half_at timestamptz not null default '-infinity',
  day_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
comment on table rowbeat.rolled is 'One row: up to when results are counted in rowbeat.rollups, and up to when half hours and days were made of them.';
insert into rowbeat.rolled default values;

-- There are ten classes to every factor of e.
create function rowbeat.span_class_v1(begun timestamptz, ended timestamptz) returns integer language sql immutable parallel safe as $$
  select case when begun is not null and ended is not null then least(round(10 * ln(greatest(date_part('epoch', ended - begun) * 1000, 1)))::integer, 255) end
$$;

-- Classes added up: one entry for each.
create function rowbeat.add_classes_v1(classes bigint[]) returns bigint[] language sql immutable parallel safe as $$
  select coalesce(array_agg(n * 256 + class order by class), '{}') from (select v & 255 as class, sum(v >> 8)::bigint as n from unnest(classes) v group by 1) c
$$;

-- Counts what finished in the next `span` after the last count, unless that was less than `every` ago. Answers how many seconds are not counted yet; null when
-- somebody else is counting now.
-- Whatever stores an end writes clock_timestamp() after it has locked rowbeat.results, and the lock stays till it commits. So once those are gone that
-- had the lock at an instant, what will yet be committed finished after it. They are waited for, which takes milliseconds; who holds his transaction
-- open for longer is waited for by later calls, but not over a minute: what he finished is then missing here (not in the results).
create function rowbeat.roll_up_v1(span interval, every interval) returns float8 language plpgsql set jit = off set work_mem = '32MB' as $$
declare
  s rowbeat.rolled; origin constant timestamptz := '2000-01-01Z'; fresh timestamptz; upto timestamptz; holders text[]; grain integer := 60; width interval; half timestamptz; day timestamptz;
begin
  select * into s from rowbeat.rolled;
  if s.done_at > clock_timestamp() - every then return 0; end if;
  select * into s from rowbeat.rolled for update skip locked;
  if not found then return null; end if;
  upto := clock_timestamp();
  fresh := upto - interval '2 days';
  if s.done_at = '-infinity' then
    select date_bin('1 day', least(min(x.finished_at), upto), origin) into s.done_at from rowbeat.results x;
    s.half_at := s.done_at; s.day_at := s.done_at;
  end if;
  if upto > s.done_at + span then upto := s.done_at + span; end if;
  -- What is older than minutes are kept is counted by half hours, from the end of one to the end of another.
  if s.done_at < fresh then
    if s.done_at = s.half_at then
      grain := 1800;
      if upto > fresh then upto := date_bin('30 minutes', fresh, origin) + interval '30 minutes'; end if;
    else upto := least(upto, s.half_at + interval '30 minutes'); end if;
  end if;
  if upto <= s.done_at then return 0; end if;
  if upto > clock_timestamp() - interval '1 hour' then
    holders := array(select l.virtualtransaction from pg_locks l where l.relation = 'rowbeat.results'::regclass and l.mode = 'RowExclusiveLock' and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database()) and l.pid is distinct from pg_backend_pid());
    for tries in 1..20 loop
      exit when holders = '{}' or not exists (select from pg_locks l where l.relation = 'rowbeat.results'::regclass and l.mode = 'RowExclusiveLock' and l.virtualtransaction = any (holders));
      if tries = 20 and s.done_at > clock_timestamp() - interval '1 minute' then return 0; end if;
      perform pg_sleep(0.005);
    end loop;
  end if;
  width := grain * interval '1 second';

  with f as (
    select date_bin(width, x.finished_at, origin) as at, x.queue, x.task, coalesce(x.worker, '') as worker, x.state,
      rowbeat.span_class_v1(x.started_at, x.finished_at) as took, rowbeat.span_class_v1(x.run_at, x.started_at) as waited
    from rowbeat.results x where x.finished_at >= s.done_at and x.finished_at < upto
  ), g as (
    select f.at, case when grouping(f.queue) = 0 then 'queue' when grouping(f.task) = 0 then 'task' else 'worker' end as by, coalesce(f.queue, f.task, f.worker) as name,
      f.state, f.took, f.waited, count(*) as n
    from f group by grouping sets ((f.at, f.queue, f.state, f.took), (f.at, f.queue, f.waited), (f.at, f.task, f.state, f.took), (f.at, f.task, f.waited),
      (f.at, f.worker, f.state, f.took), (f.at, f.worker, f.waited))
  )
  insert into rowbeat.rollups as r (step, by, at, name, succeeded, failed, revoked, took, waited)
  select grain, g.by, g.at, g.name, coalesce(sum(g.n) filter (where g.state = 'SUCCESS'), 0), coalesce(sum(g.n) filter (where g.state = 'FAILURE'), 0),
    coalesce(sum(g.n) filter (where g.state = 'REVOKED'), 0), coalesce(array_agg(g.n * 256 + g.took) filter (where g.took is not null), '{}'),
    coalesce(array_agg(g.n * 256 + g.waited) filter (where g.waited is not null), '{}')
  from g group by g.by, g.at, g.name
  on conflict (step, by, at, name) do update set succeeded = r.succeeded + excluded.succeeded, failed = r.failed + excluded.failed, revoked = r.revoked + excluded.revoked,
    took = rowbeat.add_classes_v1(r.took || excluded.took), waited = rowbeat.add_classes_v1(r.waited || excluded.waited);

  s.done_at := upto;
  if grain = 1800 then s.half_at := upto;
  else
    half := date_bin('30 minutes', upto, origin);
    if half > s.half_at then
      perform rowbeat.fold_rollups_v1(60, 1800, s.half_at, half);
      delete from rowbeat.rollups r where r.step = 60 and r.by = any ('{queue,task,worker}') and r.at < half - interval '2 days';
      s.half_at := half;
    end if;
  end if;
  day := date_bin('1 day', s.half_at, origin);
  if day > s.day_at then
    perform rowbeat.fold_rollups_v1(1800, 86400, s.day_at, day);
    delete from rowbeat.rollups r where r.by = any ('{queue,task,worker}') and (r.step = 1800 and r.at < day - interval '100 days' or r.step = 86400 and r.at < day - interval '400 days');
    s.day_at := day;
  end if;
  update rowbeat.rolled set done_at = s.done_at, half_at = s.half_at, day_at = s.day_at where one;
  return date_part('epoch', clock_timestamp() - s.done_at);
end $$;
comment on function rowbeat.roll_up_v1 is 'Counts into rowbeat.rollups what finished since the last time, for this stretch at most.';

-- Makes rows of a longer step from those of a shorter one that begin between two instants.
create function rowbeat.fold_rollups_v1(short integer, long integer, since timestamptz, until timestamptz) returns void language plpgsql set enable_seqscan = off as $$
begin
  insert into rowbeat.rollups (step, by, at, name, succeeded, failed, revoked, took, waited)
  with r as materialized (
    select x.by, date_bin(long * interval '1 second', x.at, '2000-01-01Z') as at, x.name, x.succeeded, x.failed, x.revoked, x.took, x.waited
    from unnest('{queue,task,worker}'::text[]) b cross join lateral (select * from rowbeat.rollups y where y.step = short and y.by = b and y.at >= since and y.at < until offset 0) x
  ), t as (
    select c.by, c.at, c.name, array_agg(c.n * 256 + c.class order by c.class) filter (where c.kind = 1) as took, array_agg(c.n * 256 + c.class order by c.class) filter (where c.kind = 2) as waited
    from (select r.by, r.at, r.name, k.kind, v & 255 as class, sum(v >> 8)::bigint as n
      from r cross join lateral (values (1, r.took), (2, r.waited)) k(kind, classes) cross join lateral unnest(k.classes) v group by 1, 2, 3, 4, 5) c group by 1, 2, 3
  )
  select long, c.by, c.at, c.name, c.succeeded, c.failed, c.revoked, coalesce(t.took, '{}'), coalesce(t.waited, '{}')
  from (select r.by, r.at, r.name, sum(r.succeeded) as succeeded, sum(r.failed) as failed, sum(r.revoked) as revoked from r group by 1, 2, 3) c
  left join t on t.by = c.by and t.at = c.at and t.name = c.name;
end $$;

-- RELATIVES -------------------------------------------------------------------------------------------------------------------------------------------
-- What a run made, and what it was tried again as: asked for with every run that somebody looks at. Most runs have neither, and are not in these.
create index results_parent on rowbeat.results (parent, id) where parent is not null;
create index results_retry_of on rowbeat.results (retry_of, id) where retry_of is not null;

revoke execute on function rowbeat.span_class_v1, rowbeat.add_classes_v1, rowbeat.fold_rollups_v1, rowbeat.roll_up_v1 from public;
