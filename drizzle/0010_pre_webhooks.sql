-- Webhooks: calls to addresses of others when runs end. An event is made in the transaction that stores the end, whatever ended it: a trigger on
-- rowbeat.results looks whether a webhook wants it, and enqueues a run of rowbeat.webhook for each that does. Such a run holds no copy of the run that ended,
-- only which it is: the result is written once, so whoever sends the event reads what the event was about. Runs of rowbeat.webhook make no events.
--
-- The trigger costs an end nothing while no webhook is enabled but the list of rows that PostgreSQL keeps for it (docs/decisions/0011-webhooks.md has what that
-- takes). An event that cannot be enqueued never keeps a run from ending: it leaves a row in rowbeat.deliveries that says why.

-- `*` stands for any text, `?` for one character; the rest for itself.
create function rowbeat.like_patterns_v1(globs text[]) returns text[] language sql immutable parallel safe as $$
  select array_agg(translate(regexp_replace(g, '([\\%_])', '\\\1', 'g'), '*?', '%_') order by n) from unnest(globs) with ordinality x(g, n)
$$;

create table rowbeat.webhooks (
  id uuid primary key default rowbeat.uuid7(),
  name text not null unique check (length(name) between 1 and 200),
  url text not null check (url ~* '^https?://[^[:space:]]+$' and length(url) <= 2000),
  description text check (length(description) <= 2000),
  events text[] not null default '{run.succeeded,run.failed,run.revoked}'
    check (cardinality(events) > 0 and events <@ '{run.succeeded,run.failed,run.revoked}' and array_position(events, null) is null),
  tasks text[] check (cardinality(tasks) > 0 and array_position(tasks, null) is null),
  queues text[] check (cardinality(queues) > 0 and array_position(queues, null) is null),
  tags text[] check (cardinality(tags) > 0 and array_position(tags, null) is null),
  task_patterns text[] generated always as (rowbeat.like_patterns_v1(tasks)) stored,
  enabled boolean not null default true,
  disabled_reason text,
  failing_since timestamptz,
  token uuid not null default gen_random_uuid(),
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
create index webhooks_enabled on rowbeat.webhooks (id) where enabled;
comment on table rowbeat.webhooks is 'Addresses that are told when runs end. Edit them by SQL, REST or command line.';
comment on column rowbeat.webhooks.token is 'What events are proven with before they are signed. Nobody is told.';

create table rowbeat.webhook_secrets (
  id uuid primary key default rowbeat.uuid7(),
  webhook_id uuid not null references rowbeat.webhooks on delete cascade,
  secret text not null check (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'),
  until_at timestamptz
);
create index webhook_secrets_webhook on rowbeat.webhook_secrets (webhook_id);
comment on table rowbeat.webhook_secrets is 'What events are signed with: one for each webhook, two while it rotates. Whoever may read this table can forge events.';

create table rowbeat.deliveries (
  id uuid primary key default rowbeat.uuid7(),
  webhook_id uuid not null references rowbeat.webhooks on delete cascade,
  event_id uuid not null,
  type text not null,
  run_id uuid,
  sender uuid,
  attempt integer not null,
  outcome text not null check (outcome in ('delivered', 'retry', 'failed')),
  status integer,
  duration_ms float8,
  error text,
  response text,
  at timestamptz not null default clock_timestamp()
);
create index deliveries_webhook on rowbeat.deliveries (webhook_id, id);
create index deliveries_at on rowbeat.deliveries using brin (at);
comment on table rowbeat.deliveries is 'Tries to deliver events, and what was answered; kept as long as firings are.';

-- Who may enqueue runs may enqueue one of rowbeat.webhook with an input of his own: he must not get it signed. An event that was made here has a proof in it.
create function rowbeat.event_proof_v1(token uuid, event jsonb) returns text language sql immutable parallel safe as $$
  select encode(sha256(convert_to(token::text || (event - 'proof')::text, 'UTF8')), 'hex')
$$;

-- An event of the type webhook.test, sent once; answers the run that sends it. P0002: no such webhook.
create function rowbeat.test_webhook_v1(which uuid) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  event jsonb; run uuid;
begin
  select x.v || jsonb_build_object('proof', rowbeat.event_proof_v1(w.token, x.v)) into event from rowbeat.webhooks w, lateral (
    select jsonb_build_object('webhook', w.id, 'event', rowbeat.uuid7(), 'type', 'webhook.test', 'at', rowbeat.told_v1(clock_timestamp())) as v offset 0) x where w.id = which;
  if not found then raise exception 'webhook % is unknown', which using errcode = 'no_data_found'; end if;
  select e.id into run from rowbeat.enqueue_many_v2(jsonb_build_array(jsonb_build_object(
    'task', 'rowbeat.webhook', 'input', event, 'attempts_max', 1, 'concurrency_key', which))) e;
  return run;
end $$;

create function rowbeat.guard_webhook_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.enabled and not old.enabled then
    new.disabled_reason := null;
    new.failing_since := null;
  end if;
  -- What only deliveries write is no edit.
  if (new.name, new.url, new.description, new.events, new.tasks, new.queues, new.tags, new.enabled)
    is distinct from (old.name, old.url, old.description, old.events, old.tasks, old.queues, old.tags, old.enabled) then
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger guard_webhook before update on rowbeat.webhooks for each row execute function rowbeat.guard_webhook_v1();

create function rowbeat.tell_webhooks_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  asked jsonb; one jsonb; sqlstate_is text; words text;
begin
  if not exists (select from rowbeat.webhooks w where w.enabled) then return null; end if;
  select jsonb_agg(g.v) into asked from (
    select jsonb_build_object('fields', jsonb_build_object('task', 'rowbeat.webhook', 'concurrency_key', w.id),
      'events', jsonb_agg(i.v || jsonb_build_object('proof', rowbeat.event_proof_v1(w.token, i.v)))) as v
    from (
      select r.*, case r.state when 'SUCCESS' then 'run.succeeded' when 'FAILURE' then 'run.failed' else 'run.revoked' end as type from ended r where r.task <> 'rowbeat.webhook'
    ) e join rowbeat.webhooks w on w.enabled and e.type = any (w.events) and (w.task_patterns is null or e.task like any (w.task_patterns))
      and (w.queues is null or e.queue = any (w.queues)) and (w.tags is null or e.tags && w.tags)
    -- The id is made of what ended and when: whoever is told of an event is told the same id.
    cross join lateral (select jsonb_build_object('webhook', w.id, 'event', md5(e.id::text || e.finished_at::text)::uuid, 'type', e.type, 'run', e.id, 'task', e.task,
      'queue', e.queue, 'state', e.state, 'reason', e.reason, 'at', rowbeat.told_v1(e.finished_at)) as v offset 0) i
    group by w.id
  ) g;
  if asked is null then return null; end if;
  begin
    for one in select * from jsonb_array_elements(asked) loop
      perform rowbeat.enqueue_same_v1(one->'fields', one->'events');
    end loop;
  exception when others then
    get stacked diagnostics sqlstate_is = returned_sqlstate, words = message_text;
    -- What another try may mend is left to the worker, which makes one.
    if sqlstate_is ~ '^(08|40|53|55|57|58|XX)' then raise; end if;
    raise warning 'events of webhooks could not be enqueued: %', words;
    insert into rowbeat.deliveries (webhook_id, event_id, type, run_id, attempt, outcome, error)
    select (x->>'webhook')::uuid, (x->>'event')::uuid, x->>'type', (x->>'run')::uuid, 0, 'failed', 'could not be enqueued: ' || words
    from jsonb_array_elements(asked) a cross join lateral jsonb_array_elements(a->'events') x;
  end;
  return null;
end $$;
create trigger tell_webhooks after insert on rowbeat.results referencing new table as ended for each statement execute function rowbeat.tell_webhooks_v1();

create trigger audit_rows after insert or delete on rowbeat.webhooks for each row
  execute function rowbeat.audit_row_v1('webhook', 'id', '', 'task_patterns,disabled_reason,failing_since,token,version,created_at,updated_at');
create trigger audit_edits after update on rowbeat.webhooks for each row when (old.version is distinct from new.version)
  execute function rowbeat.audit_row_v1('webhook', 'id', '', 'task_patterns,failing_since,token,version,created_at,updated_at');
-- A rotation: the secret that stood until now gets an end.
create trigger audit_rotation after update of until_at on rowbeat.webhook_secrets for each row
  execute function rowbeat.audit_row_v1('webhook_secret', 'webhook_id', 'secret', 'id');

revoke execute on function rowbeat.like_patterns_v1, rowbeat.event_proof_v1, rowbeat.test_webhook_v1, rowbeat.guard_webhook_v1, rowbeat.tell_webhooks_v1 from public;
