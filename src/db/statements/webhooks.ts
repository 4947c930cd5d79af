/**
 * Statements of webhooks, their secrets and deliveries. Documents come as JSON text, with instants as REST tells them.
 */
import type { Queryable } from '../handle.ts'

/** What may be said of a webhook; `tasks`, `queues` and `tags` null: all of them. */
export interface WebhookFields {
  name: string
  url: string
  description: string | null
  events: readonly string[]
  tasks: readonly string[] | null
  queues: readonly string[] | null
  tags: readonly string[] | null
  enabled: boolean
}

const DOCUMENT = `json_build_object('id', w.id, 'name', w.name, 'url', w.url, 'description', w.description, 'events', w.events, 'tasks', w.tasks, 'queues', w.queues,
    'tags', w.tags, 'enabled', w.enabled, 'disabled_reason', w.disabled_reason, 'failing_since', rowbeat.told_v1(w.failing_since),
    'secrets', (select count(*) from rowbeat.webhook_secrets s where s.webhook_id = w.id and (s.until_at is null or s.until_at > clock_timestamp())),
    'version', w.version, 'created_at', rowbeat.told_v1(w.created_at), 'updated_at', rowbeat.told_v1(w.updated_at))::text`

/** Newest first, below `before`. */
export async function listWebhooks(db: Queryable, before: string | null, limit: number): Promise<string[]> {
  const rows = await db.query<{ webhook: string }>(
    `/* list_webhooks */ select ${DOCUMENT} as webhook from rowbeat.webhooks w where $1::uuid is null or w.id < $1::uuid order by w.id desc limit $2::integer`,
    [before, limit],
  )
  return rows.map(({ webhook }) => webhook)
}

export async function readWebhook(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ webhook: string }>(
    `/* read_webhook */ select ${DOCUMENT} as webhook from rowbeat.webhooks w where w.id = $1::uuid`,
    [id],
  )
  return row?.webhook ?? null
}

/** The id of a name; null when there is none. */
export async function findWebhookId(db: Queryable, name: string): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(
    `/* find_webhook_id */ select id::text as id from rowbeat.webhooks where name = $1::text`,
    [name],
  )
  return row?.id ?? null
}

/** Columns of a list of texts in JSON; null stays null. */
const textsOf = (key: string): string =>
  `case when jsonb_typeof(v->'${key}') = 'array' then array(select jsonb_array_elements_text(v->'${key}')) end`

/** Makes it with its first secret. Answers its id. */
export async function insertWebhook(db: Queryable, fields: WebhookFields, secret: string): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* insert_webhook */
with given as (select $1::text::jsonb as v), made as (
  insert into rowbeat.webhooks (name, url, description, events, tasks, queues, tags, enabled)
  select v->>'name', v->>'url', v->>'description', ${textsOf('events')}, ${textsOf('tasks')}, ${textsOf('queues')}, ${textsOf('tags')}, (v->>'enabled')::boolean from given
  returning id
)
insert into rowbeat.webhook_secrets (webhook_id, secret) select id, $2::text from made returning webhook_id::text as id`,
    [JSON.stringify(fields), secret],
  )
  return row!.id
}

/** Changes what is given, if it still has that version; false when it has another or is gone. */
export async function updateWebhook(
  db: Queryable,
  id: string,
  version: number,
  fields: Partial<WebhookFields>,
): Promise<boolean> {
  const one = (key: keyof WebhookFields, value: string): string =>
    `${key} = case when v ? '${key}' then ${value} else w.${key} end`
  const rows = await db.query(
    `/* update_webhook */
update rowbeat.webhooks w set ${one('name', `v->>'name'`)}, ${one('url', `v->>'url'`)}, ${one('description', `v->>'description'`)},
  ${one('events', textsOf('events'))}, ${one('tasks', textsOf('tasks'))}, ${one('queues', textsOf('queues'))}, ${one('tags', textsOf('tags'))},
  ${one('enabled', `(v->>'enabled')::boolean`)}
from (select $3::text::jsonb as v) x where w.id = $1::uuid and w.version = $2::integer returning 1 as one`,
    [id, version, JSON.stringify(fields)],
  )
  return rows.length > 0
}

export async function deleteWebhook(db: Queryable, id: string, version: number): Promise<boolean> {
  const rows = await db.query(
    `/* delete_webhook */ delete from rowbeat.webhooks where id = $1::uuid and version = $2::integer returning 1 as one`,
    [id, version],
  )
  return rows.length > 0
}

/** The new secret counts at once, the one before it `seconds` longer, any older one no more. False when there is no such webhook. */
export async function rotateSecret(
  db: Queryable,
  id: string,
  secret: string,
  seconds: number,
): Promise<boolean> {
  const rows = await db.query(
    `/* rotate_secret */
with held as (
  select w.id from rowbeat.webhooks w where w.id = $1::uuid for update
), gone as (
  delete from rowbeat.webhook_secrets s using held where s.webhook_id = held.id and s.until_at is not null
), old as (
  update rowbeat.webhook_secrets s set until_at = clock_timestamp() + $3::float8 * interval '1 second' from held where s.webhook_id = held.id and s.until_at is null
)
insert into rowbeat.webhook_secrets (webhook_id, secret) select id, $2::text from held returning 1 as one`,
    [id, secret, seconds],
  )
  return rows.length > 0
}

/** What a delivery needs to know. */
export interface DeliveryTarget {
  url: string
  enabled: boolean
  /** The event was made here, and says what it said then. */
  isGenuine: boolean
  /** The newest first. */
  secrets: readonly string[]
  database: string
}

/** `event` is the input of its run, as JSON text. */
export async function readDeliveryTarget(
  db: Queryable,
  id: string,
  event: string,
): Promise<DeliveryTarget | null> {
  const [row] = await db.query<{ target: string }>(
    `/* read_delivery_target */
select json_build_object('url', w.url, 'enabled', w.enabled, 'database', current_database(),
  'isGenuine', coalesce(rowbeat.event_proof_v1(w.token, v) = v->>'proof', false), 'secrets', (
    select coalesce(json_agg(s.secret order by s.until_at desc nulls first), '[]') from rowbeat.webhook_secrets s
    where s.webhook_id = w.id and (s.until_at is null or s.until_at > clock_timestamp())))::text as target
from rowbeat.webhooks w cross join (select $2::text::jsonb as v) x where w.id = $1::uuid`,
    [id, event],
  )
  return row ? (JSON.parse(row.target) as DeliveryTarget) : null
}

/** Enqueues a test event. Answers its run; P0002 when there is no such webhook. */
export async function testWebhook(db: Queryable, id: string): Promise<string> {
  const [row] = await db.query<{ run: string }>(
    `/* test_webhook */ select rowbeat.test_webhook_v1($1::uuid)::text as run`,
    [id],
  )
  return row!.run
}

export interface DeliveryRow {
  webhook: string
  event: string
  type: string
  run: string | null
  sender: string
  attempt: number
  outcome: 'delivered' | 'retry' | 'failed'
  status: number | null
  durationMs: number
  error: string | null
  response: string | null
  /** Disables the webhook, whatever came before. */
  isGone: boolean
  /** Seconds of failing without a success between after which it is disabled. */
  patience: number
}

/** Notes a try, and on the webhook what is news: that it fails from now on, that it works again, that it is given up. Null: nothing of it. */
export async function noteDelivery(db: Queryable, row: DeliveryRow): Promise<string | null> {
  const [noted] = await db.query<{ reason: string | null }>(
    `/* note_delivery */
with d as materialized (select $1::text::jsonb as v), w as (
  select w.id, w.failing_since, d.v from rowbeat.webhooks w, d where w.id = (d.v->>'webhook')::uuid
), noted as (
  insert into rowbeat.deliveries (webhook_id, event_id, type, run_id, sender, attempt, outcome, status, duration_ms, error, response)
  select w.id, (v->>'event')::uuid, v->>'type', (v->>'run')::uuid, (v->>'sender')::uuid, (v->>'attempt')::integer, v->>'outcome', (v->>'status')::integer,
    (v->>'durationMs')::float8, v->>'error', v->>'response' from w
), healed as (
  update rowbeat.webhooks x set failing_since = null from w where x.id = w.id and v->>'outcome' = 'delivered' and w.failing_since is not null and x.failing_since is not null
), failing as (
  update rowbeat.webhooks x set failing_since = clock_timestamp() from w
  where x.id = w.id and v->>'outcome' <> 'delivered' and not (v->>'isGone')::boolean and w.failing_since is null and x.failing_since is null
), given_up as (
  update rowbeat.webhooks x set enabled = false, disabled_reason = case when (v->>'isGone')::boolean then 'it answered 410: it is gone'
      else format('no event was delivered since %s; the last one: %s', rowbeat.told_v1(x.failing_since), v->>'error') end
  from w where x.id = w.id and x.enabled and v->>'outcome' <> 'delivered'
    and ((v->>'isGone')::boolean or w.failing_since < clock_timestamp() - (v->>'patience')::float8 * interval '1 second')
  returning x.disabled_reason
)
select (select disabled_reason from given_up) as reason`,
    [JSON.stringify(row)],
  )
  return noted?.reason ?? null
}

export interface DeliveryQuery {
  /** The id to go on below. */
  before: string | null
  outcome: string | null
  limit: number
}

/** Newest first. */
export async function listDeliveries(
  db: Queryable,
  id: string,
  { before, outcome, limit }: DeliveryQuery,
): Promise<string[]> {
  const rows = await db.query<{ delivery: string }>(
    `/* list_deliveries */
select json_build_object('id', d.id, 'webhook_id', d.webhook_id, 'event_id', d.event_id, 'type', d.type, 'run_id', d.run_id, 'sender', d.sender, 'attempt', d.attempt,
  'outcome', d.outcome, 'status', d.status, 'duration_ms', d.duration_ms, 'error', d.error, 'response', d.response, 'at', rowbeat.told_v1(d.at))::text as delivery
from rowbeat.deliveries d where d.webhook_id = $1::uuid and ($2::uuid is null or d.id < $2::uuid) and ($3::text is null or d.outcome = $3::text)
order by d.id desc limit $4::integer`,
    [id, before, outcome, limit],
  )
  return rows.map(({ delivery }) => delivery)
}

/** Deletes tries older than that, found by the block ranges of `at`, and secrets that count no more. */
export async function deleteDeliveries(db: Queryable, olderSeconds: number, limit: number): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* delete_deliveries */
with gone as (
  delete from rowbeat.deliveries where id = any (array(
    select id from rowbeat.deliveries where at < now() - $1::float8 * interval '1 second' limit $2::integer)) returning 1
), spent as (
  delete from rowbeat.webhook_secrets where until_at < now()
)
select count(*)::text as n from gone`,
    [olderSeconds, limit],
  )
  return Number(row!.n)
}
