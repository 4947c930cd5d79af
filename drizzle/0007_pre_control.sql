-- Control of workers, in rows. A setting holds: it is the state that workers of a name (or all, '*') are to be in, so one that was down takes it up when it
-- is back. A one-shot command (ping, shutdown, ...) is for workers that live now: it expires, and who starts later does not heed it. Both leave a row
-- in rowbeat.commands, and each live worker answers with one in rowbeat.replies.
--
-- Workers learn of a change by NOTIFY, and as the net by their heartbeat, which compares a digest of what concerns them with that of their last look.

alter table rowbeat.workers
  add column autoscale jsonb not null default '{}',
  add column quiet boolean not null default false,
  add column processed jsonb not null default '{}',
  add column limits jsonb not null default '{}';

create table rowbeat.worker_settings (
  worker text primary key check (worker <> ''),
  queues jsonb not null default '{}',
  concurrency integer check (concurrency > 0),
  autoscale jsonb,
  quiet boolean,
  updated_at timestamptz not null default clock_timestamp()
);
comment on table rowbeat.worker_settings is 'What holds for the workers of a name, or for all (*); written by rowbeat.control. A name of its own wins over *.';

create table rowbeat.task_settings (
  task text primary key check (task ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$'),
  rate text,
  rate_burst integer check (rate_burst > 0),
  time_limit float8 check (time_limit >= 0),
  soft_time_limit float8 check (soft_time_limit >= 0),
  updated_at timestamptz not null default clock_timestamp()
);
comment on table rowbeat.task_settings is 'What stands in for a task''s values in the code, on all workers: null is the code''s, a rate of none and a limit of 0 are no limit.';

create table rowbeat.commands (
  id uuid primary key default rowbeat.uuid7(),
  command text not null,
  args jsonb not null,
  workers text[],
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
comment on table rowbeat.commands is 'Commands of the last hour; one that expired is not heeded any more.';

create table rowbeat.replies (
  command_id uuid not null references rowbeat.commands on delete cascade,
  worker text not null,
  ok boolean not null,
  reply jsonb not null,
  at timestamptz not null default clock_timestamp(),
  primary key (command_id, worker)
);
comment on table rowbeat.replies is 'What live workers answered to commands.';

-- Why this command cannot be given, naming the field; null when it can.
create function rowbeat.invalid_command_v1(command text, args jsonb, workers text[]) returns text language plpgsql stable as $$
declare
  known constant jsonb := '{"add_queue": ["queue", "concurrency"], "cancel_queue": ["queue"], "set_concurrency": ["concurrency", "queue"], "autoscale": ["max", "min", "off"],
    "quiet": [], "unquiet": [], "rate_limit": ["task", "rate", "burst"], "time_limit": ["task", "soft", "hard"], "reset": ["task"],
    "ping": [], "shutdown": ["grace"], "dump_stacks": [], "report": [], "stats": [], "reserved": []}';
  slots constant text := 'must be a whole number of 1 to 10000';
  wrong text; field text; soft float8; hard float8; soft_now float8; hard_now float8;
begin
  if command is null or not known ? command then
    return format('command: must be one of %s', (select string_agg(k, ', ' order by k) from jsonb_object_keys(known) k));
  end if;
  if args is null or jsonb_typeof(args) <> 'object' then return 'args: must be an object such as {"queue": "high"}'; end if;
  select k into wrong from jsonb_object_keys(args) k where not (known->command) ? k and k <> 'expires' limit 1;
  if found then
    return format('args: "%s" is not an argument of %s, which takes %s', wrong, command,
      coalesce((select string_agg(k, ', ') from jsonb_array_elements_text((known->command) || '["expires"]') k), 'none'));
  end if;
  if args ? 'expires' and coalesce(rowbeat.seconds_v1(args->'expires'), 0) not between 0.1 and 3600 then return 'expires: must be a duration of 100 ms to an hour'; end if;
  if workers is not null and (cardinality(workers) = 0 or exists (select from unnest(workers) w where w is null or w in ('', '*') or length(w) > 200)) then
    return 'workers: must be null, which is all, or a list of names, each of 1 to 200 characters';
  end if;
  if args ? 'queue' or command in ('add_queue', 'cancel_queue') then
    if coalesce(jsonb_typeof(args->'queue') <> 'string' or args->>'queue' !~ '^[a-z][a-z0-9_-]{0,31}$', true) then return 'queue: must match ^[a-z][a-z0-9_-]{0,31}$'; end if;
  end if;
  foreach field in array '{concurrency,max,min}'::text[] loop
    if jsonb_typeof(args->field) <> 'number' then return format('%s: %s', field, slots); end if;
    if (args->>field)::numeric not between 1 and 10000 or (args->>field)::numeric % 1 <> 0 then return format('%s: %s', field, slots); end if;
  end loop;
  if command = 'set_concurrency' and not args ? 'concurrency' then return format('concurrency: %s', slots); end if;
  if command = 'autoscale' then
    if args ? 'off' then
      if args->'off' <> 'true' or args ?| '{max,min}' then return 'off: must be true, and then without max and min'; end if;
    elsif not args ? 'max' then return 'max: must be given, as in {"max": 20, "min": 2}';
    elsif (args->>'max')::integer < coalesce((args->>'min')::integer, 1) then return 'min: must not be above max';
    end if;
  end if;
  if args ? 'task' or command in ('rate_limit', 'time_limit') then
    if coalesce(jsonb_typeof(args->'task') <> 'string' or args->>'task' !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,89}$', true) then
      return 'task: must be the name of a task, which matches ^[A-Za-z_][A-Za-z0-9_.-]{0,89}$';
    end if;
    if workers is not null then return 'workers: must be null, for the settings of a task hold on all workers'; end if;
  end if;
  if command = 'rate_limit' then
    if not args ? 'rate' then return 'rate: must be given: a rate such as "10/m", "none" for no limit, or null for what the code says'; end if;
    if args->>'rate' !~ '^(\d{1,10}(\.\d{1,9})?(/[smhd])?|none)$' or jsonb_typeof(args->'rate') not in ('string', 'number', 'null')
      or substring(args->>'rate' from '^[\d.]+')::numeric not between 1e-9 and 1e9 then
      return 'rate: must be a number above 0 and a unit s, m, h or d, as in "10/m", or a number a second, or "none", or null';
    end if;
    if args ? 'burst' and args->'burst' <> 'null' then
      if jsonb_typeof(args->'burst') <> 'number' then return 'burst: must be a whole number of 1 to 1000000'; end if;
      if (args->>'burst')::numeric not between 1 and 1000000 or (args->>'burst')::numeric % 1 <> 0 then return 'burst: must be a whole number of 1 to 1000000'; end if;
      if coalesce(args->>'rate', 'none') = 'none' then return 'burst: needs a rate'; end if;
    end if;
  end if;
  if command = 'time_limit' then
    if not args ?| '{soft,hard}' then return 'hard: soft or hard must be given: a duration, 0 for no limit, or null for what the code says'; end if;
    foreach field in array '{soft,hard}'::text[] loop
      if args->field <> 'null' and coalesce(rowbeat.seconds_v1(args->field), -1) not between 0 and 1e9 then
        return format('%s: must be a duration such as 30 or "5 m", 0 for no limit, or null for what the code says', field);
      end if;
    end loop;
    -- The code's own are in `code` (0008).
    select case when args ? 'soft' then rowbeat.seconds_v1(args->'soft') else s.soft_time_limit end, (t.code->>'soft_time_limit')::float8,
      case when args ? 'hard' then rowbeat.seconds_v1(args->'hard') else s.time_limit end, (t.code->>'time_limit')::float8 into soft, soft_now, hard, hard_now
      from (select args->>'task' as name) x left join rowbeat.task_settings s on s.task = x.name left join rowbeat.tasks t on t.name = x.name;
    soft := nullif(coalesce(soft, soft_now), 0);
    hard := nullif(coalesce(hard, hard_now), 0);
    if soft > hard then return format('soft: %s s is above the hard limit of %s s', soft, hard); end if;
  end if;
  if args ? 'grace' and coalesce(rowbeat.seconds_v1(args->'grace'), -1) not between 0 and 86400 then return 'grace: must be a duration of at most a day'; end if;
  return null;
end $$;

-- Writes a setting of workers. One for all is the last word for all: it clears the same setting of each name.
create function rowbeat.set_workers_v1(command text, args jsonb, workers text[]) returns void language plpgsql as $$
declare
  q text := args->>'queue'; slots integer := (args->>'concurrency')::integer; scale jsonb; one jsonb;
begin
  if command = 'reset' then
    delete from rowbeat.worker_settings s where workers is null or s.worker = any (workers);
    return;
  end if;
  insert into rowbeat.worker_settings (worker) select distinct w from unnest(coalesce(workers, '{*}')) w order by w on conflict do nothing;
  if command in ('quiet', 'unquiet') then
    update rowbeat.worker_settings s set quiet = case when workers is null and s.worker <> '*' then null else command = 'quiet' end, updated_at = clock_timestamp()
      where workers is null or s.worker = any (workers);
  elsif q is not null then
    one := case command when 'add_queue' then '{"serve": true}' when 'cancel_queue' then '{"serve": false}' else '{}' end::jsonb
      || case when slots is null then '{}' else jsonb_build_object('concurrency', slots) end;
    update rowbeat.worker_settings s set updated_at = clock_timestamp(), queues = case
        when workers is null and s.worker <> '*' then case command when 'set_concurrency' then s.queues #- array[q, 'concurrency'] else s.queues - q end
        when command = 'cancel_queue' then s.queues || jsonb_build_object(q, one)
        else s.queues || jsonb_build_object(q, coalesce(s.queues->q, '{}') || one) end
      where workers is null or s.worker = any (workers);
  else
    -- Concurrency and autoscale are two answers to one question: the last one given counts, for every queue.
    scale := case when command = 'set_concurrency' or args ? 'off' then 'false' else jsonb_build_object('max', (args->>'max')::integer, 'min', coalesce((args->>'min')::integer, 1)) end;
    update rowbeat.worker_settings s set updated_at = clock_timestamp(),
        autoscale = case when workers is null and s.worker <> '*' then null else scale end,
        concurrency = case when args ? 'off' then s.concurrency when workers is null and s.worker <> '*' then null else slots end,
        queues = case when args ? 'off' then s.queues else (select coalesce(jsonb_object_agg(e.key, e.value - 'concurrency'), '{}') from jsonb_each(s.queues) e) end
      where workers is null or s.worker = any (workers);
  end if;
end $$;

create function rowbeat.set_task_v1(command text, args jsonb) returns void language plpgsql as $$
begin
  if command = 'reset' then
    delete from rowbeat.task_settings s where s.task = args->>'task';
    return;
  end if;
  insert into rowbeat.task_settings (task) values (args->>'task') on conflict do nothing;
  if command = 'rate_limit' then
    update rowbeat.task_settings s set rate = args->>'rate', rate_burst = (args->>'burst')::integer, updated_at = clock_timestamp() where s.task = args->>'task';
  else
    update rowbeat.task_settings s set updated_at = clock_timestamp(),
        soft_time_limit = case when args ? 'soft' then rowbeat.seconds_v1(args->'soft') else s.soft_time_limit end,
        time_limit = case when args ? 'hard' then rowbeat.seconds_v1(args->'hard') else s.time_limit end
      where s.task = args->>'task';
  end if;
  delete from rowbeat.task_settings s where s.task = args->>'task' and num_nonnulls(s.rate, s.time_limit, s.soft_time_limit) = 0;
end $$;

create function rowbeat.control_v1(command text, args jsonb, workers text[]) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  fault text := rowbeat.invalid_command_v1(command, args, workers); asked uuid;
begin
  if fault is not null then raise exception '%', fault using errcode = 'invalid_parameter_value'; end if;
  if command in ('rate_limit', 'time_limit') or args ? 'task' then
    perform rowbeat.set_task_v1(command, args);
  elsif command in ('add_queue', 'cancel_queue', 'set_concurrency', 'autoscale', 'quiet', 'unquiet', 'reset') then
    perform rowbeat.set_workers_v1(command, args, workers);
  elsif workers is not null and not exists (select from rowbeat.workers w where w.kind = 'worker' and w.name = any (workers)) then
    raise exception 'no live worker is named %: rowbeat.workers has those that are', array_to_string(workers, ', ') using errcode = 'no_data_found';
  end if;
  insert into rowbeat.commands (command, args, workers, expires_at)
    values (command, args - 'expires', workers, clock_timestamp() + coalesce(rowbeat.seconds_v1(args->'expires'), 10) * interval '1 second') returning id into asked;
  perform pg_notify('rowbeat_control', 'command');
  return asked;
end $$;

create function rowbeat.control(command text, args jsonb default '{}', workers text[] default null) returns uuid
language sql security definer set search_path = pg_catalog, pg_temp as $$ select rowbeat.control_v1(command, args, workers) $$;
comment on function rowbeat.control is 'Commands workers, all or those named, with the commit of this transaction; returns the id under which they answer in rowbeat.replies. Errors: 22023 invalid, P0002 no such worker is live.';

-- Changes with whatever a worker of this name has to look at; null while there is nothing.
create function rowbeat.control_digest_v1(who text) returns text language sql stable as $$
  select md5(string_agg(x.line, ',' order by x.line)) from (
    select 's' || s.worker || s.xmin::text as line from rowbeat.worker_settings s where s.worker in (who, '*')
    union all select 't' || s.task || s.xmin::text from rowbeat.task_settings s
    union all select 'c' || c.id::text from rowbeat.commands c where c.expires_at > clock_timestamp() and (c.workers is null or who = any (c.workers))
    union all select 'p' || q.name from rowbeat.queues q where q.paused_at is not null
  ) x
$$;

create function rowbeat.told_v1(at timestamptz) returns text language sql immutable parallel safe as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- What rows know of workers, without asking them.
create function rowbeat.inspect_v1(what text, workers text[]) returns table (worker text, reply jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  case what
  when 'active' then
    return query select w.name, coalesce((select jsonb_agg(jsonb_build_object('id', j.key, 'task', substr(t.identifier, strpos(t.identifier, ':') + 1),
        'queue', split_part(t.identifier, ':', 1), 'attempt', (l->>'attempt')::integer, 'started_at', l->>'started_at') order by l->>'started_at', j.key)
      from jsonb_array_elements(w.running) l join rowbeat_queue._private_jobs j on j.key = l->>'id' and j.locked_by = any (w.pools)
        join rowbeat_queue._private_tasks t on t.id = j.task_id), '[]')
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  when 'reserved' then
    return query select w.name, coalesce((select jsonb_agg(jsonb_build_object('id', j.key, 'task', substr(t.identifier, strpos(t.identifier, ':') + 1),
        'queue', split_part(t.identifier, ':', 1), 'priority', j.priority, 'created_at', rowbeat.told_v1(j.created_at)) order by j.priority, j.run_at, j.id)
      from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id
      where j.locked_by = any (w.pools) and not exists (select from jsonb_array_elements(w.running) l where l->>'id' = j.key)), '[]')
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  when 'scheduled' then
    return query select null::text, coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'task', p.task, 'queue', p.queue, 'reason', p.reason, 'priority', p.priority,
        'release_at', rowbeat.told_v1(p.release_at)) order by p.release_at, p.id), '[]')
    from (select * from rowbeat.parked k where k.reason in ('eta', 'retry', 'snooze') and k.release_at is not null order by k.release_at limit 1000) p;
  when 'revoked' then
    return query select null::text, coalesce(jsonb_agg(x.one order by x.at desc), '[]') from (
      select v.at, jsonb_build_object('id', v.run_id, 'task', r.task, 'queue', r.queue, 'state', r.state, 'reason', null, 'message', v.reason, 'terminate', v.terminate, 'at', rowbeat.told_v1(v.at)) as one
      from rowbeat.revocations v left join lateral (select * from rowbeat.run(v.run_id)) r on true
      union all
      (select f.finished_at, jsonb_build_object('id', f.id, 'task', f.task, 'queue', f.queue, 'state', f.state, 'reason', f.reason, 'message', f.error->>'message',
        'terminate', f.reason = 'terminated', 'at', rowbeat.told_v1(f.finished_at))
      from (select * from rowbeat.results e order by e.id desc limit 10000) f where f.state = 'REVOKED' order by f.id desc limit 100)
    ) x;
  when 'registered' then
    return query select w.name, coalesce((select jsonb_agg((case when t.name is null then jsonb_build_object('name', n) else to_jsonb(t) - 'input_schema' - 'seen_at' end)
        || jsonb_build_object('settings', (select jsonb_strip_nulls(to_jsonb(s) - 'task' - 'updated_at') from rowbeat.task_settings s where s.task = n)) order by n)
      from unnest(w.tasks) n left join rowbeat.tasks t on t.name = n), '[]')
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  when 'stats' then
    return query select w.name, jsonb_build_object('id', w.id, 'hostname', w.hostname, 'pid', w.pid, 'version', w.version,
        'uptime', round(extract(epoch from clock_timestamp() - w.started_at), 3), 'concurrency', (select coalesce(sum(e.value::integer), 0) from jsonb_each_text(w.queues) e),
        'running', jsonb_array_length(w.running), 'processed', w.processed, 'rss_bytes', w.rss_bytes, 'loop_lag_ms', w.loop_lag_ms, 'clock_skew_ms', w.clock_skew_ms,
        'quiet', w.quiet, 'stopping', w.stopping, 'seen_at', rowbeat.told_v1(w.seen_at))
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  when 'active_queues' then
    return query select w.name, coalesce((select jsonb_agg(jsonb_build_object('queue', e.key, 'concurrency', e.value::integer, 'autoscale', w.autoscale->e.key,
        'paused', q.paused_at is not null) order by e.key) from jsonb_each_text(w.queues) e left join rowbeat.queues q on q.name = e.key), '[]')
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  when 'report' then
    return query select w.name, to_jsonb(w) - 'pools' - 'running' || jsonb_build_object('started_at', rowbeat.told_v1(w.started_at), 'seen_at', rowbeat.told_v1(w.seen_at),
        'settings', (select coalesce(jsonb_object_agg(s.worker, jsonb_strip_nulls(to_jsonb(s) - 'worker' - 'updated_at')), '{}') from rowbeat.worker_settings s where s.worker in (w.name, '*')))
    from rowbeat.workers w where w.kind = 'worker' and (workers is null or w.name = any (workers)) order by w.name, w.id;
  else
    raise exception 'what: must be one of active, active_queues, registered, report, reserved, revoked, scheduled, stats' using errcode = 'invalid_parameter_value';
  end case;
end $$;

create function rowbeat.inspect(what text, workers text[] default null) returns table (worker text, reply jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select i.worker, i.reply from rowbeat.inspect_v1(what, workers) i $$;
comment on function rowbeat.inspect is 'What rows know of live workers: active, active_queues, registered, report, reserved, stats, one row each; of the store: scheduled, revoked, one row with worker null. Errors: 22023.';

revoke execute on function rowbeat.invalid_command_v1, rowbeat.set_workers_v1, rowbeat.set_task_v1, rowbeat.control_v1, rowbeat.control, rowbeat.control_digest_v1,
  rowbeat.told_v1, rowbeat.inspect_v1, rowbeat.inspect from public;
