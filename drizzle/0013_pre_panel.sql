-- Sign-ins of the panel: a cookie instead of tokens. They are rows of rowbeat.sessions like any, so that a change of the person's role or password, being
-- switched off and signing out end them as they end the others; what is shorter is their time, which the query that reads them counts.

alter table rowbeat.sessions add column cookie_hash bytea;
comment on column rowbeat.sessions.cookie_hash is 'Of a sign-in to the panel: sha-256 of its cookie. Such a one ends 30 minutes after its last use and 12 hours after its begin.';
create unique index sessions_cookie on rowbeat.sessions (cookie_hash) where cookie_hash is not null;

-- The password was right: begins a sign-in with this cookie and ends the one whose cookie came along, so that no cookie from before a sign-in is worth anything after it.
-- null: the person was disabled in between.
create function rowbeat.panel_login_v1(who uuid, email text, address text, cookie text, earlier text) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  made uuid := rowbeat.login_passed_v1(who, email, address, cookie);
begin
  if made is null then return null; end if;
  -- What opens the panel is no refresh token.
  delete from rowbeat.refresh_tokens r where r.session_id = made;
  update rowbeat.sessions s set cookie_hash = decode(cookie, 'hex') where s.id = made;
  update rowbeat.sessions s set ended_at = clock_timestamp(), end_reason = 'signed_out' where s.cookie_hash = decode(earlier, 'hex') and s.ended_at is null;
  return made;
end $$;
comment on function rowbeat.panel_login_v1 is 'Begins a sign-in to the panel for who proved a password; cookie and earlier: sha-256 of the new cookie and of the one that came with the request, as hex.';
revoke execute on function rowbeat.panel_login_v1 from public;
