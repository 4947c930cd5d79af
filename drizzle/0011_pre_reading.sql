-- What reading many runs needs. Results are stored in the order in which they finish, so the pages of a stretch of time lie together: a BRIN index
-- finds them, is a few kilobytes a million rows, and costs the statement that finishes runs nothing that could be measured. On a million results
-- it is made in 0.3 s, in which no run can finish.
create index results_finished_at on rowbeat.results using brin (finished_at) with (pages_per_range = 32, autosummarize = on);

-- SEARCHES IN OPERATIONS ----------------------------------------------------------------------------------------------------------------------------
-- A filter may have `where`: what a search (`q`) means, as the clients read it: a list of {"field", "path", "compare", "values", "isNot"}. This is
-- src/db/statements/run-conditions.ts once more, for an operation is worked off in the database; a test holds the two against each other.

-- What each field is in a place, on the row `r`.
create function rowbeat.search_columns_v1(place text) returns jsonb language sql immutable parallel safe as $$
  select case when place = 'results' then '{"id": "r.id", "task": "r.task", "queue": "r.queue", "tag": "r.tags", "worker": "r.worker", "schedule": "r.schedule", "reason": "r.reason",
      "unique_key": "r.unique_key", "parent": "r.parent", "retry_of": "r.retry_of", "priority": "r.priority", "attempt": "r.attempt", "attempts_max": "r.attempts_max",
      "redeliveries": "r.redeliveries", "duration": "date_part(''epoch'', r.finished_at - r.started_at)", "wait": "date_part(''epoch'', r.started_at - r.run_at)",
      "created": "r.created_at", "started": "r.started_at", "finished": "r.finished_at", "run_at": "r.run_at", "expires": "r.expires_at", "due": "r.due_at",
      "input": "r.input", "result": "r.result", "error": "r.error", "headers": "r.headers", "text": "r.task",
      "failure": "case when r.state = ''FAILURE'' then rowbeat.fingerprint_v1(r.task, r.error) end"}'::jsonb
    else '{"id": "r.id", "schedule": "r.payload->>''schedule''", "unique_key": "r.payload->>''unique_key''", "parent": "(r.payload->>''parent'')::uuid",
      "tag": "case when json_typeof(r.payload->''tags'') = ''array'' then array(select json_array_elements_text(r.payload->''tags'')) end",
      "retry_of": "(r.payload->>''retry_of'')::uuid", "priority": "r.priority", "attempt": "coalesce((r.payload->>''attempt'')::integer, 0)",
      "attempts_max": "coalesce((r.payload->>''attempts_max'')::integer, 1)", "redeliveries": "coalesce((r.payload->>''redeliveries'')::integer, 0)",
      "created": "r.created_at", "expires": "(r.payload->>''expires_at'')::timestamptz", "due": "(r.payload->>''due_at'')::timestamptz",
      "input": "(r.payload::jsonb->''input'')", "headers": "(r.payload::jsonb->''headers'')"}'::jsonb
      || case when place = 'parked' then '{"task": "r.task", "queue": "r.queue", "reason": "r.reason", "run_at": "coalesce(r.release_at, r.created_at)",
        "wait": "date_part(''epoch'', clock_timestamp() - coalesce(r.release_at, r.created_at))", "text": "r.task"}'::jsonb
      else jsonb_build_object('task', t.task, 'queue', 'split_part((select t.identifier from rowbeat_queue._private_tasks t where t.id = r.task_id), '':'', 1)', 'text', t.task,
        'worker', format(l.listed, 'w.name'), 'attempt', 'coalesce(' || format(l.listed, '(l->>''attempt'')::integer') || ', (r.payload->>''attempt'')::integer, 0)',
        'started', format(l.listed, '(l->>''started_at'')::timestamptz'), 'run_at', 'r.run_at',
        'duration', 'date_part(''epoch'', clock_timestamp() - ' || format(l.listed, '(l->>''started_at'')::timestamptz') || ')',
        'wait', 'date_part(''epoch'', coalesce(' || format(l.listed, '(l->>''started_at'')::timestamptz') || ', clock_timestamp()) - r.run_at)') end end
  from (select 'split_part((select t.identifier from rowbeat_queue._private_tasks t where t.id = r.task_id), '':'', 2)' as task) t,
    (select 'case when r.locked_at is not null then (select %s from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l
      where l->>''id'' = r.id::text and r.locked_by = any (w.pools) limit 1) end' as listed) l
$$;

-- The conditions as SQL on `r`, with the filter as $1: nothing of it is in the text but fields and comparisons that are known, and numbers.
create function rowbeat.search_sql_v1(place text, w jsonb) returns text[] language plpgsql immutable as $$
declare
  columns jsonb := rowbeat.search_columns_v1(place); asks text[] := '{}'; c jsonb; i integer := 0; field text; how text; col text; vals text; first text; ask text; test text; words text;
begin
  for c in select e from jsonb_array_elements(w) e loop
    field := c->>'field'; how := c->>'compare'; col := columns->>field;
    vals := format('array(select jsonb_array_elements_text($1->''where''->%s->''values''))', i);
    first := format('($1->''where''->%s->''values''->>0)', i);
    test := case how when 'is' then '%s = any (' || vals || ')' when 'like' then '%s like any (' || vals || ')' when 'has' then '%s ilike any (' || vals || ')'
      when '>' then '%s > ' when '>=' then '%s >= ' when '<' then '%s < ' when '<=' then '%s <= ' when 'from' then '' end;
    if test is null or not rowbeat.search_columns_v1('results') ? field then raise exception 'filter: where has a condition that is not known' using errcode = 'invalid_parameter_value'; end if;
    words := 'concat_ws('' '', r.error->>''name'', r.error->>''message'', r.error->>''code'')';
    if col is null then ask := 'false';
    elsif field = 'text' then
      ask := format('%s ilike ''%%'' || %s || ''%%'' or r.id::text like lower(%s) || ''%%''', col, first, first)
        || case when place = 'results' then format(' or r.error is not null and %s ilike ''%%'' || %s || ''%%''', words, first) else '' end;
    elsif field = 'tag' then ask := format('exists (select from unnest(%s) g where %s)', col, format(test, 'g'));
    elsif field in ('input', 'result', 'error', 'headers') and jsonb_array_length(coalesce(c->'path', '[]')) = 0 then
      ask := format('%s is not null and %s', col, format(test, case field when 'error' then words else col || '::text' end));
    elsif field in ('input', 'result', 'error', 'headers') then
      ask := case when how not in ('is', 'like', 'has') and jsonb_typeof(c->'values'->0) = 'number'
          then format('case when jsonb_typeof(y.j) = ''number'' then %s%s::numeric end', format(test, '(y.j #>> ''{}'')::numeric'), first)
        when how not in ('is', 'like', 'has') then format('jsonb_typeof(y.j) = ''string'' and %s%s', format(test, '(y.j #>> ''{}'') collate "C"'), first)
        else format('%s or exists (select from jsonb_array_elements_text(case when jsonb_typeof(y.j) = ''array'' then y.j else ''[]'' end) e where %s)',
            format(test, '(y.j #>> ''{}'')'), format(test, 'e')) || case when c->'values' @> 'null' then ' or y.j = ''null''' else '' end end;
      ask := format('exists (select from (select %s #> array(select jsonb_array_elements_text($1->''where''->%s->''path'')) as j offset 0) y where %s)', col, i, ask);
    elsif field in ('id', 'parent', 'retry_of') then
      ask := case how when 'is' then format('%s = any (%s::uuid[])', col, vals) else format(test, '(' || col || ')::text') end;
    elsif field in ('task', 'queue', 'worker', 'schedule', 'reason', 'unique_key', 'failure') then ask := format(test, '(' || col || ')');
    elsif field in ('created', 'started', 'finished', 'run_at', 'expires', 'due') then
      ask := case how when 'from' then format('%s >= %s::timestamptz and %s < ($1->''where''->%s->''values''->>1)::timestamptz', col, first, col, i)
        else format('%s%s::timestamptz', format(test, '(' || col || ')'), first) end;
    else ask := case how when 'is' then format('(%s)::numeric = any (%s::numeric[])', col, vals) else format('%s%s::numeric', format(test, '(' || col || ')::numeric'), first) end;
    end if;
    asks := asks || case when (c->>'isNot')::boolean then format('(%s) is not true', ask) else format('(%s)', ask) end;
    i := i + 1;
  end loop;
  return asks;
end $$;

-- As in 0006, with `where` beside the rest.
create or replace function rowbeat.invalid_filter_v1(f jsonb) returns text language plpgsql stable as $$
declare
  known text[] := '{state,reason,task,queue,tag,schedule,created_before,created_after,ids,all,q}'; states text[] := '{PENDING,SCHEDULED,STARTED,PROGRESS,RETRY,SUCCESS,FAILURE,REVOKED}';
  field text;
begin
  if jsonb_typeof(f) is distinct from 'object' then return 'filter: must be an object such as {"task": "demo.add"}'; end if;
  if f = '{}' then return 'filter: is empty; say which runs, or {"all": true} for all of them'; end if;
  select k into field from jsonb_object_keys(f) k where k <> all (known) and k <> 'where' limit 1;
  if found then return 'filter: "' || field || '" is no part of a filter; known are ' || array_to_string(known, ', '); end if;
  if f ? 'all' and f->'all' <> 'true' then return 'filter: all must be true, or left out'; end if;
  if f ? 'q' and not f ? 'where' then return 'filter: q is read by REST, TypeScript and the command line; in SQL say the fields'; end if;
  if f ? 'where' then
    if jsonb_typeof(f->'where') <> 'array' or f->'where' @? '$[*] ? (@.type() != "object" || @.values.type() != "array" || @.values.size() == 0)' or f->'where' @? '$[*] ? (!exists(@.values))' then
      return 'filter: where must be what a search means'; end if;
    begin
      perform rowbeat.search_sql_v1('results', f->'where');
    exception when others then return sqlerrm;
    end;
  end if;
  select k into field from unnest('{task,queue,schedule,created_before,created_after,q}'::text[]) k where f ? k and jsonb_typeof(f->k) <> 'string' limit 1;
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

-- As in 0006, with `where` beside the rest, and all columns for it.
create or replace function rowbeat.operation_source_v1(place text, kind text, f jsonb, most integer) returns text language plpgsql immutable as $$
declare
  body text; reads text[]; asks text[] := '{r.created_at <= $2}'; payload text := 'r.payload::jsonb'; states text[] := rowbeat.words_v1(f->'state');
begin
  if f ? 'created_before' then asks := asks || 'r.created_at < ($1->>''created_before'')::timestamptz'::text; end if;
  if f ? 'created_after' then asks := asks || 'r.created_at > ($1->>''created_after'')::timestamptz'::text; end if;
  if place = 'results' then
    body := 'select x.* from rowbeat.results x';
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
    body := 'select x.key::uuid as id, x.task_id, x.payload, x.created_at, x.locked_at, x.locked_by, x.priority, x.run_at from rowbeat_queue._private_jobs x';
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
  if f ? 'where' then asks := asks || rowbeat.search_sql_v1(place, f->'where'); end if;
  return format('select r.id, coalesce(%s, false) as ok from (%s where %s%s) r', array_to_string(asks, ' and '), body, array_to_string(reads, ' and '),
    case when most is not null then ' order by ' || case place when 'jobs' then 'x.key::uuid' else 'x.id' end || ' limit ' || most else '' end);
end $$;

revoke execute on function rowbeat.search_columns_v1, rowbeat.search_sql_v1 from public;
