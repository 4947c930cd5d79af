-- Failures by what they have in common: the task, the error's name and where in the code it was thrown. Thousands of them are a few groups that somebody
-- can look at. A run that fails pays nothing for it: upkeep reads what has finished since it looked last, by the block ranges of `finished_at`
-- (drizzle/0011), and adds it up. Counts are kept by ten minutes, so that a day is read from some dozens of rows a group, however many failed.
--
-- A run is stored with its instant a moment before others can see it, so each look begins ten seconds before where the last one ended; ids that were
-- counted are remembered for so long. Stores with a history are counted back for 30 days, a stretch at a time.

-- Where an error was thrown, without what differs between two releases or two machines: `parseRow (src/csv.ts)`. The first line of the stack that
-- is neither Node's nor a package's; else the first; '' without any.
create function rowbeat.failure_frame_v1(stack text) returns text language plpgsql immutable parallel safe as $$
declare
  line text; frame text; place text;
begin
  foreach line in array coalesce(string_to_array(stack, E'\n'), '{}') loop
    continue when line !~ '^\s+at \S';
    line := substr(ltrim(line, E' \t'), 4);
    frame := coalesce(frame, line);
    continue when line ~ '\mnode:|[/\\]node_modules[/\\]|^(?:async )?[\w.]+ \(<anonymous>\)$';
    frame := line;
    exit;
  end loop;
  place := regexp_replace(coalesce(substring(frame from '\(([^()]*)\)$'), frame), '(:\d+){1,2}$', '');
  place := coalesce(substring(place from '([^/\\]+[/\\][^/\\]+)$'), place);
  return coalesce(left(coalesce(substring(frame from '^(?:async )?(.*) \([^()]*\)$') || ' (' || place || ')', place), 300), '');
end $$;
comment on function rowbeat.failure_frame_v1 is 'Where an error was thrown, as in parseRow (src/csv.ts).';

create function rowbeat.fingerprint_v1(task text, error jsonb) returns text language sql immutable parallel safe as $$
  select left(encode(sha256(convert_to(concat_ws(E'\n', fingerprint_v1.task, coalesce(error->>'name', ''), rowbeat.failure_frame_v1(error->>'stack')), 'UTF8')), 'hex'), 16)
$$;
comment on function rowbeat.fingerprint_v1 is 'What failures have in common: task, name of the error and where it was thrown, as 16 characters.';

create table rowbeat.failure_groups (
  fingerprint text primary key,
  task text not null,
  name text not null,
  code text,
  frame text not null,
  message text not null,
  run_id uuid not null,
  first_at timestamptz not null,
  last_at timestamptz not null
);
comment on table rowbeat.failure_groups is 'Failures that have task, error and place in common. Kept by upkeep; read it, never write it.';

create table rowbeat.failure_counts (
  at timestamptz not null,
  fingerprint text not null,
  n integer not null,
  primary key (at, fingerprint)
);
comment on table rowbeat.failure_counts is 'How many runs of each group failed in ten minutes.';

create table rowbeat.failures_seen (
  run_id uuid primary key,
  at timestamptz not null
);
comment on table rowbeat.failures_seen is 'Failures of the last seconds that have been counted.';

create table rowbeat.failures_read (
  one boolean primary key default true check (one),
  until_at timestamptz not null,
  looked_at timestamptz not null default '-infinity'
);
comment on table rowbeat.failures_read is 'One row: how far failures have been counted.';
insert into rowbeat.failures_read (until_at)
select case when exists (select from rowbeat.results) then clock_timestamp() - interval '30 days' else clock_timestamp() end;

-- What finished from `mark` up to `until`, and what was stored late of the seconds before.
create function rowbeat.count_failures_between_v1(mark timestamptz, until timestamptz) returns void language sql as $$
  with f as materialized (
    -- Not by the index on failures: it is in the order of ids, and this stretch of time lies anywhere in it.
    select x.id, x.task, x.finished_at, x.error from rowbeat.results x
    where x.finished_at >= mark - interval '10 seconds' and x.finished_at < until and x.state || '' = 'FAILURE'
  ), fresh as (
    insert into rowbeat.failures_seen as s (run_id, at)
    select f.id, f.finished_at from f where f.finished_at < mark or f.finished_at >= until - interval '10 seconds' on conflict do nothing returning s.run_id
  ), g as materialized (
    select f.id, f.task, f.finished_at, f.error, rowbeat.fingerprint_v1(f.task, f.error) as fingerprint from f
    where f.finished_at >= mark and f.finished_at < until - interval '10 seconds' or f.id in (select run_id from fresh)
  ), counted as (
    insert into rowbeat.failure_counts as c (at, fingerprint, n)
    select date_bin('10 minutes', g.finished_at, 'epoch'), g.fingerprint, count(*) from g group by 1, 2 order by 1, 2
    on conflict (at, fingerprint) do update set n = c.n + excluded.n
  )
  insert into rowbeat.failure_groups as o (fingerprint, task, name, code, frame, message, run_id, first_at, last_at)
  select l.fingerprint, l.task, left(coalesce(l.error->>'name', ''), 200), left(l.error->>'code', 200), rowbeat.failure_frame_v1(l.error->>'stack'),
    left(coalesce(l.error->>'message', ''), 1000), l.id, l.first_at, l.finished_at
  from (select distinct on (g.fingerprint) g.*, min(g.finished_at) over (partition by g.fingerprint) as first_at from g order by g.fingerprint, g.finished_at desc) l
  on conflict (fingerprint) do update set first_at = least(o.first_at, excluded.first_at), last_at = greatest(o.last_at, excluded.last_at),
    code = case when excluded.last_at >= o.last_at then excluded.code else o.code end, message = case when excluded.last_at >= o.last_at then excluded.message else o.message end,
    run_id = case when excluded.last_at >= o.last_at then excluded.run_id else o.run_id end
$$;

-- Counts what failed since the last look, for one caller per interval; false when it is not this one's turn. A long history is counted a part at a time.
create function rowbeat.count_failures_v1(every interval) returns boolean language plpgsql as $$
declare
  began timestamptz := clock_timestamp(); mark timestamptz; until timestamptz; step interval := '10 minutes'; took interval; at timestamptz := clock_timestamp();
begin
  select r.until_at into mark from rowbeat.failures_read r where r.looked_at < began - every for update skip locked;
  if not found then return false; end if;
  loop
    until := least(began, mark + step);
    perform rowbeat.count_failures_between_v1(mark, until);
    mark := until;
    took := clock_timestamp() - at;
    at := at + took;
    exit when mark >= began or at > began + interval '1 second';
    step := case when took < interval '20 milliseconds' then least(step * 2, interval '1 day')
      when took > interval '100 milliseconds' then greatest(step / 4, interval '1 minute') else step end;
  end loop;
  delete from rowbeat.failures_seen s where s.at < mark - interval '10 seconds';
  update rowbeat.failures_read set until_at = mark, looked_at = clock_timestamp();
  return true;
end $$;
comment on function rowbeat.count_failures_v1 is 'Counts what failed since the last look into its groups; one caller per interval does.';

create function rowbeat.clean_failures_v1(older interval) returns void language sql as $$
  delete from rowbeat.failure_counts c where c.at < clock_timestamp() - older;
  delete from rowbeat.failure_groups g where g.last_at < clock_timestamp() - older
$$;
comment on function rowbeat.clean_failures_v1 is 'Forgets what failed longer ago than that.';

revoke execute on function rowbeat.failure_frame_v1, rowbeat.fingerprint_v1, rowbeat.count_failures_between_v1, rowbeat.count_failures_v1, rowbeat.clean_failures_v1 from public;
