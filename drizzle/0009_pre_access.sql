-- Access: who may come in (keys, people, their sign-ins), what holds off who guesses, and the audit log of what was changed.
--
-- The audit log is written by triggers, so that an edit by SQL is in it like one by REST. Who acts travels as the setting rowbeat.actor of the
-- transaction (src/control/acting.ts sets it); without it, it is the database user. The user is noted in any case. A trigger costs the hot statements nothing:
-- each has a column list and a WHEN that firings, claims and heartbeats do not meet.

create table rowbeat.audit_log (
  id uuid primary key default rowbeat.uuid7(),
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  actor_kind text not null check (actor_kind in ('key', 'user', 'process', 'database')),
  actor_id text,
  via text not null check (via in ('rest', 'cli', 'panel', 'sql')),
  action text not null,
  target_kind text not null,
  target text,
  before jsonb,
  after jsonb,
  reason text,
  request_id text,
  address text,
  db_user text not null default session_user
);
create index audit_log_target on rowbeat.audit_log (target_kind, target, id);
create index audit_log_actor on rowbeat.audit_log (actor, id);
comment on table rowbeat.audit_log is 'What was changed, by whom: before and after hold the columns that changed, of a row that came or went all. Append-only; secrets are not in it.';
comment on column rowbeat.audit_log.actor is 'Name of the key, e-mail address of the person, what the process is called, or the database user.';
comment on column rowbeat.audit_log.db_user is 'session_user, whoever the actor says it is.';

create function rowbeat.called_from_v1(stack text, named text) returns boolean language sql immutable as $$
  select strpos(stack, 'function rowbeat.' || named || '(') > 0
$$;

-- Its owner, too, may only add. What is beyond its time goes by rowbeat.clean_audit_log_v1, and nothing else gets past.
create function rowbeat.keep_audit_log_v1() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  stack text;
begin
  get diagnostics stack = pg_context;
  if tg_op = 'DELETE' and rowbeat.called_from_v1(stack, 'clean_audit_log_v1') then return old; end if;
  raise exception 'rowbeat.audit_log is append-only: % is refused', lower(tg_op) using errcode = 'insufficient_privilege';
end $$;
create trigger keep_rows before update or delete on rowbeat.audit_log for each row execute function rowbeat.keep_audit_log_v1();
create trigger keep_all before truncate on rowbeat.audit_log for each statement execute function rowbeat.keep_audit_log_v1();

create function rowbeat.clean_audit_log_v1(older interval) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n bigint;
begin
  if older < interval '30 days' then raise exception 'older: must be 30 days or more' using errcode = 'invalid_parameter_value'; end if;
  delete from rowbeat.audit_log where id < rowbeat.uuid7_floor_v1(clock_timestamp() - older);
  get diagnostics n = row_count;
  return n;
end $$;
comment on function rowbeat.clean_audit_log_v1 is 'Deletes rows of the audit log that are older, at least 30 days; the only way to delete any. Errors: 22023.';

-- One row of the log. What the transaction says of who acts is data: what of it is malformed is not believed.
create function rowbeat.audit_v1(action text, target_kind text, target text, before jsonb, after jsonb, reason text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  said jsonb := '{}';
begin
  begin
    said := coalesce(nullif(current_setting('rowbeat.actor', true), ''), '{}')::jsonb;
  exception when others then null;
  end;
  if jsonb_typeof(said) <> 'object' or coalesce(said->>'kind', '') not in ('key', 'user', 'process') or said->>'actor' is null
    or coalesce(said->>'via', '') not in ('rest', 'cli', 'panel') then said := null; end if;
  insert into rowbeat.audit_log (actor, actor_kind, actor_id, via, action, target_kind, target, before, after, reason, request_id, address) values (
    coalesce(said->>'actor', case when current_setting('application_name') like 'rowbeat %' then current_setting('application_name') else session_user end),
    coalesce(said->>'kind', case when current_setting('application_name') like 'rowbeat %' then 'process' else 'database' end), said->>'id',
    coalesce(said->>'via', 'sql'), coalesce(said->>'action', action), target_kind, target, before, after, coalesce(reason, said->>'reason'), said->>'request_id', said->>'address');
end $$;

-- For any table: (noun, column that names a row, columns that are secret, columns that say nothing). Of a secret the log knows only that it changed.
create function rowbeat.audit_row_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  secrets text[] := string_to_array(coalesce(tg_argv[2], ''), ','); silent text[] := string_to_array(coalesce(tg_argv[3], ''), ',');
  was jsonb; is_now jsonb; stack text; name text;
begin
  get diagnostics stack = pg_context;
  -- rowbeat.control writes one row, that of its command, for all settings it sets.
  if rowbeat.called_from_v1(stack, 'control_v1') and tg_table_name in ('worker_settings', 'task_settings') then return null; end if;
  if tg_op <> 'INSERT' then was := to_jsonb(old) - silent; end if;
  if tg_op <> 'DELETE' then is_now := to_jsonb(new) - silent; end if;
  name := coalesce(is_now, was)->>tg_argv[1];
  if tg_op = 'UPDATE' then
    select jsonb_object_agg(n.key, case when n.key = any (secrets) then to_jsonb('hidden'::text) else was->n.key end),
      jsonb_object_agg(n.key, case when n.key = any (secrets) then to_jsonb('hidden, changed'::text) else n.value end)
    into was, is_now from jsonb_each(is_now) n where n.value is distinct from was->n.key;
    if is_now is null then return null; end if;
  else
    was := was - secrets; is_now := is_now - secrets;
  end if;
  perform rowbeat.audit_v1(tg_argv[0] || case tg_op when 'INSERT' then '.create' when 'UPDATE' then '.update' else '.delete' end, tg_argv[0], name, was, is_now);
  return null;
end $$;
comment on function rowbeat.audit_row_v1 is 'Trigger for an audited table: after insert, update or delete for each row execute function rowbeat.audit_row_v1(noun, key column, secret columns, columns left out).';

-- Schedules: what a person or the code says of one. A firing counts in firings_total, and what it changes beside (the end of a one-off) is not an edit.
create trigger audit_rows after insert or delete on rowbeat.schedules for each row execute function rowbeat.audit_row_v1('schedule', 'id', '',
  'next_run_at,last_run_at,since_at,buffered_at,firings_total,failures,error,declared,declared_at,created_at,updated_at,edited_at');
create trigger audit_edits after update of name, task, input, schedule, enabled, queue, priority, tags, headers, expires, one_off, start_at, end_at, jitter,
  overlap, catch_up, catch_up_window, firings_max, failures_max, anchor_at, description, pause_reason, resume_at on rowbeat.schedules for each row
  when (old.version is distinct from new.version and old.firings_total = new.firings_total) execute function rowbeat.audit_row_v1('schedule', 'id', '',
  'next_run_at,last_run_at,since_at,buffered_at,firings_total,failures,error,declared,declared_at,created_at,updated_at,edited_at');

-- Queues: limits and pauses. That one came to be because somebody used its name is no edit.
create trigger audit_new after insert on rowbeat.queues for each row
  when (num_nonnulls(new.concurrency, new.rate, new.rate_burst, new.paused_at, new.draining_at) > 0 or new.hot_limit <> 5000)
  execute function rowbeat.audit_row_v1('queue', 'name', '', 'overflow,hot_until');
create trigger audit_gone after delete on rowbeat.queues for each row execute function rowbeat.audit_row_v1('queue', 'name', '', 'overflow,hot_until');
create trigger audit_edits after update of concurrency, rate, rate_burst, hot_limit, paused_at, pause_reason, resume_at, draining_at on rowbeat.queues for each row
  when ((old.concurrency, old.rate, old.rate_burst, old.hot_limit, old.paused_at, old.pause_reason, old.resume_at, old.draining_at)
    is distinct from (new.concurrency, new.rate, new.rate_burst, new.hot_limit, new.paused_at, new.pause_reason, new.resume_at, new.draining_at))
  execute function rowbeat.audit_row_v1('queue', 'name', '', 'overflow,hot_until');

create trigger audit_rows after insert or update or delete on rowbeat.worker_settings for each row execute function rowbeat.audit_row_v1('worker_settings', 'worker', '', 'updated_at');
create trigger audit_rows after insert or update or delete on rowbeat.task_settings for each row execute function rowbeat.audit_row_v1('task_settings', 'task', '', 'updated_at');
create trigger audit_new after insert on rowbeat.commands for each row when (new.command not in ('ping', 'report', 'reserved', 'stats'))
  execute function rowbeat.audit_row_v1('command', 'id', '', 'created_at,expires_at');
create trigger audit_new after insert on rowbeat.operations for each row
  execute function rowbeat.audit_row_v1('operation', 'id', '', 'state,total,done,skipped,failed,last_id,batch,next_at,error,created_at,started_at,finished_at');
create trigger audit_stop after update of state on rowbeat.operations for each row when (old.state = 'running' and new.state = 'stopped')
  execute function rowbeat.audit_row_v1('operation', 'id', '', 'total,done,skipped,failed,last_id,batch,next_at,error,created_at,started_at,finished_at');

-- Keys: who made each. A key is known by its sha-256 alone.
alter table rowbeat.api_keys add column created_by text;
comment on column rowbeat.api_keys.created_by is 'Who made it: a name of a key, an e-mail address, or the database user.';
alter table rowbeat.api_keys alter column created_by set default session_user;
create index api_keys_by_name on rowbeat.api_keys (name);
create trigger audit_rows after insert or delete on rowbeat.api_keys for each row execute function rowbeat.audit_row_v1('key', 'id', 'hash', 'last_used_at,created_at');
create trigger audit_edits after update of name, hash, scopes, expires_at, revoked_at on rowbeat.api_keys for each row
  when ((old.name, old.hash, old.scopes, old.expires_at, old.revoked_at) is distinct from (new.name, new.hash, new.scopes, new.expires_at, new.revoked_at))
  execute function rowbeat.audit_row_v1('key', 'id', 'hash', 'last_used_at,created_at');

-- People. `version` counts what ends their sign-ins: a new role or password, being switched off.
alter table rowbeat.users add column version integer not null default 1, add column created_by text default session_user, add column updated_at timestamptz not null default now(),
  add column signed_in_at timestamptz;
comment on column rowbeat.users.version is 'A sign-in holds while this is what it was then: a change of role, password or disabled_at counts it.';
comment on table rowbeat.users is 'People who may sign in, to the API and to the panel.';

create function rowbeat.guard_user_v1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' then
    if (old.role, old.password_hash, old.disabled_at is null) is distinct from (new.role, new.password_hash, new.disabled_at is null) then
      new.version := old.version + 1; new.updated_at := clock_timestamp();
    end if;
    if new.role = 'admin' and new.disabled_at is null then return new; end if;
  end if;
  -- Two who take each other's place at the same moment come one after the other.
  if old.role = 'admin' and old.disabled_at is null then
    perform pg_advisory_xact_lock(hashtextextended('rowbeat.last_admin', 0));
    if not exists (select from rowbeat.users u where u.role = 'admin' and u.disabled_at is null and u.id <> old.id) then
      raise exception 'the last admin cannot be removed, demoted or disabled: make another one first' using errcode = 'object_in_use';
    end if;
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger guard_user before update of role, password_hash, disabled_at or delete on rowbeat.users for each row execute function rowbeat.guard_user_v1();
create trigger audit_rows after insert or delete on rowbeat.users for each row
  execute function rowbeat.audit_row_v1('user', 'id', 'password_hash', 'created_at,updated_at,signed_in_at,version');
create trigger audit_edits after update of email, role, password_hash, disabled_at on rowbeat.users for each row
  when ((old.email, old.role, old.password_hash, old.disabled_at) is distinct from (new.email, new.role, new.password_hash, new.disabled_at))
  execute function rowbeat.audit_row_v1('user', 'id', 'password_hash', 'created_at,updated_at,signed_in_at,version');

-- Sign-ins. A refresh token is spent at its use and leaves its hash behind: whoever comes with a spent one has stolen it, or was robbed, and the sign-in ends.
create table rowbeat.sessions (
  id uuid primary key default rowbeat.uuid7(),
  user_id uuid not null references rowbeat.users on delete cascade,
  user_version integer not null,
  address text,
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  end_reason text check (end_reason in ('signed_out', 'reused'))
);
create index sessions_user on rowbeat.sessions (user_id);
create index sessions_used_at on rowbeat.sessions (used_at);
comment on table rowbeat.sessions is 'Sign-ins: each ends 14 days after its last use, 60 days after its begin, when signed out, when a spent refresh token comes again, and when its user changes.';

create table rowbeat.refresh_tokens (
  hash bytea primary key,
  session_id uuid not null references rowbeat.sessions on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  spent_at timestamptz
);
create index refresh_tokens_session on rowbeat.refresh_tokens (session_id);
comment on table rowbeat.refresh_tokens is 'Refresh tokens of live sign-ins, spent ones too: only the sha-256 of a token is stored.';

create table rowbeat.secrets (
  name text primary key,
  value bytea not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table rowbeat.secrets is 'What only the API reads: the key it signs access tokens with, unless ROWBEAT_SECRET gives one.';
revoke all on rowbeat.secrets, rowbeat.refresh_tokens, rowbeat.sessions, rowbeat.audit_log from public;

-- What is held against who guesses passwords. subject: `account:` and the sha-256 of an e-mail address, `address:` and a network address, `pair:` and the sha-256 of both.
create table rowbeat.login_failures (
  subject text primary key,
  failures integer not null default 0,
  recent timestamptz[] not null default '{}',
  blocked_until timestamptz not null default '-infinity',
  last_at timestamptz not null default clock_timestamp(),
  trusted_at timestamptz
) with (fillfactor = 50);
create index login_failures_last_at on rowbeat.login_failures (last_at);
comment on table rowbeat.login_failures is 'Wrong passwords of late, by account and by address, for every API process alike.';
revoke all on rowbeat.login_failures from public;

-- Seconds to hold off after so many failures: 0 for four, then 1, 2, 4, 8, 16 and never more than 30, so that nobody locks out another for good.
create function rowbeat.login_back_off_v1(failures integer) returns interval language sql immutable as $$
  select case when failures < 5 then 0 else least(30, 2 ^ least(failures - 5, 10)) end * interval '1 second'
$$;

create function rowbeat.login_subjects_v1(email text, address text, out account text, out place text, out pair text) language sql immutable as $$
  select 'account:' || encode(sha256(convert_to(lower(email), 'UTF8')), 'hex'), 'address:' || address,
    'pair:' || encode(sha256(convert_to(lower(email) || ' ' || address, 'UTF8')), 'hex')
$$;

-- Leave to compare one password: 0 and the user (null: unknown), or the seconds to wait. What it grants is held to be a failure until login_passed_v1 says
-- otherwise, so of a thousand that come at once, to however many processes, no more pass than one after the other would. From an address an account was
-- opened from before, its failures count by themselves: who guesses from elsewhere does not keep its owner out.
create function rowbeat.login_ticket_v1(email text, address text, out wait float8, out user_id uuid, out password_hash text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s record := rowbeat.login_subjects_v1(email, address); at timestamptz := clock_timestamp(); trusted boolean; subjects text[]; until timestamptz; row record; fails integer; times timestamptz[];
begin
  trusted := exists (select from rowbeat.login_failures f where f.subject = s.pair and f.trusted_at > at - interval '30 days');
  subjects := case when trusted then array[s.pair] else array[s.account, s.place] end;
  -- The flood is turned away without a lock.
  until := (select max(f.blocked_until) from rowbeat.login_failures f where f.subject = any (subjects));
  if until > at then wait := extract(epoch from until - at); return; end if;
  insert into rowbeat.login_failures (subject) select x from unnest(subjects) x order by x on conflict do nothing;
  perform from rowbeat.login_failures f where f.subject = any (subjects) order by f.subject for update;
  at := clock_timestamp();
  until := (select max(f.blocked_until) from rowbeat.login_failures f where f.subject = any (subjects));
  if until > at then wait := extract(epoch from until - at); return; end if;
  select u.id, u.password_hash into user_id, password_hash from rowbeat.users u where u.email = lower(login_ticket_v1.email) and u.disabled_at is null;
  for row in select * from rowbeat.login_failures f where f.subject = any (subjects) loop
    fails := case when row.last_at < at - interval '15 minutes' then 1 else row.failures + 1 end;
    if row.subject = s.place then
      -- Ten in any minute: behind one address may sit many.
      times := array(select t from unnest(row.recent) t where t > at - interval '1 minute' order by t) || at;
      until := case when cardinality(times) >= 10 then times[1] + interval '1 minute' else '-infinity' end;
      if cardinality(times) >= 10 and row.blocked_until < at - interval '15 minutes' then
        perform rowbeat.audit_v1('login.blocked', 'address', address, null, jsonb_build_object('failures', fails, 'until', rowbeat.told_v1(until)));
      end if;
    else
      times := '{}';
      until := at + rowbeat.login_back_off_v1(fails);
      if fails = 5 and user_id is not null then
        perform rowbeat.audit_v1('login.blocked', 'user', user_id::text, null, jsonb_build_object('failures', fails, 'until', rowbeat.told_v1(until), 'address', address));
      end if;
    end if;
    update rowbeat.login_failures f set failures = fails, recent = times, last_at = at, blocked_until = until where f.subject = row.subject;
  end loop;
  if random() < 0.02 then
    delete from rowbeat.login_failures f where f.last_at < at - interval '1 day' and coalesce(f.trusted_at < at - interval '30 days', true);
  end if;
  wait := 0;
end $$;

-- The password was right: what its ticket counted is taken back, and a sign-in begins. From an address it was opened from before, that was the pair's count and nothing else:
-- an owner who comes in does not give new tries to who guesses elsewhere, nor somebody's own account new tries at those of others.
create function rowbeat.login_passed_v1(who uuid, email text, address text, token text) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s record := rowbeat.login_subjects_v1(email, address); made uuid; trusted boolean;
begin
  insert into rowbeat.sessions (user_id, user_version, address) select u.id, u.version, login_passed_v1.address from rowbeat.users u
    where u.id = who and u.disabled_at is null returning id into made;
  if made is null then return null; end if;
  insert into rowbeat.refresh_tokens (hash, session_id) values (decode(token, 'hex'), made);
  trusted := exists (select from rowbeat.login_failures f where f.subject = s.pair and f.trusted_at > clock_timestamp() - interval '30 days');
  insert into rowbeat.login_failures (subject, trusted_at) values (s.pair, clock_timestamp())
    on conflict (subject) do update set failures = 0, blocked_until = '-infinity', trusted_at = excluded.trusted_at, last_at = excluded.last_at;
  if not trusted then
    delete from rowbeat.login_failures f where f.subject = s.account;
    update rowbeat.login_failures f set failures = greatest(0, f.failures - 1), recent = trim_array(f.recent, least(1, cardinality(f.recent))), blocked_until = '-infinity'
      where f.subject = s.place;
  end if;
  update rowbeat.users u set signed_in_at = clock_timestamp() where u.id = who;
  delete from rowbeat.sessions x where x.used_at < clock_timestamp() - interval '15 days' or x.created_at < clock_timestamp() - interval '61 days';
  return made;
end $$;

-- Spends a refresh token for another. No row: unknown, over, or spent before, which ends the sign-in.
create function rowbeat.refresh_session_v1(token text, successor text, out session_id uuid, out user_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  at timestamptz := clock_timestamp(); found_token rowbeat.refresh_tokens; x record;
begin
  select * into found_token from rowbeat.refresh_tokens r where r.hash = decode(token, 'hex') for update;
  if not found then return; end if;
  select n.*, u.version, u.disabled_at into x from rowbeat.sessions n join rowbeat.users u on u.id = n.user_id where n.id = found_token.session_id for update of n;
  if found_token.spent_at is not null then
    update rowbeat.sessions n set ended_at = at, end_reason = 'reused' where n.id = x.id and n.ended_at is null;
    if found then perform rowbeat.audit_v1('session.reused', 'user', x.user_id::text, null, jsonb_build_object('session', x.id)); end if;
    return;
  end if;
  if x.ended_at is not null or x.disabled_at is not null or x.version <> x.user_version or x.used_at < at - interval '14 days' or x.created_at < at - interval '60 days' then return; end if;
  update rowbeat.refresh_tokens r set spent_at = at where r.hash = found_token.hash;
  insert into rowbeat.refresh_tokens (hash, session_id) values (decode(successor, 'hex'), x.id);
  update rowbeat.sessions n set used_at = at where n.id = x.id;
  session_id := x.id; user_id := x.user_id;
end $$;

revoke execute on function rowbeat.called_from_v1, rowbeat.keep_audit_log_v1, rowbeat.clean_audit_log_v1, rowbeat.audit_v1, rowbeat.audit_row_v1, rowbeat.guard_user_v1,
  rowbeat.login_back_off_v1, rowbeat.login_subjects_v1, rowbeat.login_ticket_v1, rowbeat.login_passed_v1, rowbeat.refresh_session_v1 from public;
