/** Every address that changes something, made to do so, and the row of the audit log that is to come of it. */
import { randomUUID } from 'node:crypto'
import { hashPassword } from '../../src/auth/password.ts'
import { saveUser } from '../../src/db/statements/users.ts'
import { signIn } from './people.ts'
import type { Answer, World } from './world.ts'

const INTERVAL = { kind: 'interval', every: 1, period: 'hours' }
export const PASSWORD = 'nine green bottles'

/** What changes nothing that is logged: a run is its own record, and a sign-in says when it was last used. */
export const UNLOGGED = [
  'enqueueRun',
  'enqueueRuns',
  'previewTiming',
  'dryRunSchedule',
  'dryRunDefinition',
  'refreshTokens',
  'testWebhook',
]

export interface Wanted {
  action: string
  target_kind: string
  target?: unknown
  before?: unknown
  after?: unknown
  reason?: string
  actor?: string
}

/** How each endpoint is made to change something, and the row that says so. Whatever is made before it is not looked at. */
type Try = (world: World) => Promise<() => Promise<[Answer, Wanted]>>

const run = async ({ rowbeat }: World, options = {}): Promise<string> =>
  (await rowbeat.enqueue('demo.echo', {}, options)).id
const queue = async ({ call }: World): Promise<string> => {
  const name = `q${randomUUID().slice(0, 8)}`
  await call('PUT', `/v1/queues/${name}`, { concurrency: 2 })
  return name
}
export const makeSchedule = async ({ call }: World): Promise<string> => {
  const answer = await call('POST', '/v1/schedules', {
    name: randomUUID(),
    task: 'demo.echo',
    schedule: INTERVAL,
  })
  return answer.json.id as string
}
const webhook = async ({ call }: World): Promise<string> => {
  const answer = await call('POST', '/v1/webhooks', { name: randomUUID(), url: 'https://example.com/hook' })
  return answer.json.id as string
}
const IF_ANY = { headers: { 'if-match': '*' } }
const onSchedule =
  (verb: string, body: unknown, wanted: Wanted): Try =>
  async (world) => {
    const id = await makeSchedule(world)
    return async () => [
      await world.call('POST', `/v1/schedules/${id}:${verb}`, body),
      { target: id, ...wanted },
    ]
  }
const onQueue =
  (verb: string, body: unknown, wanted: Wanted): Try =>
  async (world) => {
    const name = await queue(world)
    return async () => [await world.call('POST', `/v1/queues/${name}:${verb}`, body), wanted]
  }

export const TRIES: Record<string, Try> = {
  revokeRun: async (world) => {
    const id = await run(world)
    return async () => [
      await world.call('POST', `/v1/runs/${id}:revoke`, { reason: 'late' }),
      { action: 'run.revoke', target_kind: 'run', target: id, reason: 'late', after: { state: 'REVOKED' } },
    ]
  },
  retryRun: async (world) => {
    const id = await run(world, { delay: '1h' })
    return async () => [
      await world.call('POST', `/v1/runs/${id}:retry`),
      { action: 'run.retry', target_kind: 'run', target: id, after: { run: id } },
    ]
  },
  rescheduleRun: async (world) => {
    const id = await run(world, { delay: '1h' })
    return async () => [
      await world.call('POST', `/v1/runs/${id}:reschedule`, { delay: '2h' }),
      { action: 'run.reschedule', target_kind: 'run', target: id, after: { delay: '2h' } },
    ]
  },
  deleteRun: async (world) => {
    const id = await run(world)
    await world.rowbeat.revoke(id)
    return async () => [
      await world.call('DELETE', `/v1/runs/${id}`),
      { action: 'run.delete', target_kind: 'run', target: id },
    ]
  },
  beginOperation: async (world) => async () => {
    const answer = await world.call('POST', '/v1/operations', {
      kind: 'revoke',
      filter: { tag: 'x' },
      reason: 'old',
    })
    return [
      answer,
      { action: 'operation.create', target_kind: 'operation', target: answer.json.id, reason: 'old' },
    ]
  },
  stopOperation: async (world) => {
    const { json } = await world.call('POST', '/v1/operations', { kind: 'revoke', filter: { tag: 'y' } })
    return async () => [
      await world.call('POST', `/v1/operations/${json.id}:stop`),
      { action: 'operation.stop', target_kind: 'operation', target: json.id, after: { state: 'stopped' } },
    ]
  },
  createSchedule: async (world) => async () => [
    await world.call('POST', '/v1/schedules', { name: 'one', task: 'demo.echo', schedule: INTERVAL }),
    {
      action: 'schedule.create',
      target_kind: 'schedule',
      before: null,
      after: { name: 'one', schedule: INTERVAL },
    },
  ],
  replaceSchedule: async (world) => {
    const id = await makeSchedule(world)
    const body = { name: 'two', task: 'demo.echo', schedule: INTERVAL, priority: 2 }
    return async () => [
      await world.call('PUT', `/v1/schedules/${id}`, body, IF_ANY),
      {
        action: 'schedule.update',
        target_kind: 'schedule',
        target: id,
        after: { name: 'two', priority: 2 },
      },
    ]
  },
  editSchedule: async (world) => {
    const id = await makeSchedule(world)
    return async () => [
      await world.call('PATCH', `/v1/schedules/${id}`, { priority: 7 }, IF_ANY),
      {
        action: 'schedule.update',
        target_kind: 'schedule',
        target: id,
        before: { priority: null, version: 1 },
        after: { priority: 7, version: 2 },
      },
    ]
  },
  deleteSchedule: async (world) => {
    const id = await makeSchedule(world)
    return async () => [
      await world.call('DELETE', `/v1/schedules/${id}`, undefined, IF_ANY),
      { action: 'schedule.delete', target_kind: 'schedule', target: id, after: null },
    ]
  },
  runSchedule: onSchedule('run', undefined, {
    action: 'schedule.run',
    target_kind: 'schedule',
    after: { run: /-/ },
  }),
  pauseSchedule: onSchedule(
    'pause',
    { reason: 'tea' },
    {
      action: 'schedule.pause',
      target_kind: 'schedule',
      after: { enabled: false, pause_reason: 'tea' },
      reason: 'tea',
    },
  ),
  resumeSchedule: async (world) => {
    const id = await makeSchedule(world)
    await world.call('POST', `/v1/schedules/${id}:pause`)
    return async () => [
      await world.call('POST', `/v1/schedules/${id}:resume`),
      { action: 'schedule.resume', target_kind: 'schedule', target: id, after: { enabled: true } },
    ]
  },
  revertSchedule: async (world) => {
    const id = await makeSchedule(world)
    await world.sql`update rowbeat.schedules s set origin = 'code', declared = to_jsonb(s) || '{"priority": 3, "expires": null, "jitter": null, "catch_up_window": null}'
      where id = ${id}`
    return async () => [
      await world.call('POST', `/v1/schedules/${id}:revert`),
      { action: 'schedule.revert', target_kind: 'schedule', target: id, after: { priority: 3 } },
    ]
  },
  backfillSchedule: onSchedule(
    'backfill',
    { from: '2026-01-01T00:00:00Z', to: '2026-01-01T03:00:00Z' },
    { action: 'schedule.backfill', target_kind: 'schedule' },
  ),
  importSchedules: async (world) => async () => [
    await world.call('POST', '/v1/schedules:import', {
      rowbeat: 1,
      schedules: [{ name: 'brought', task: 'demo.echo', schedule: INTERVAL }],
    }),
    { action: 'schedule.create', target_kind: 'schedule', after: { name: 'brought' } },
  ],
  defineQueue: async (world) => async () => [
    await world.call('PUT', '/v1/queues/fresh', {}),
    { action: 'queue.define', target_kind: 'queue', target: 'fresh' },
  ],
  editQueue: async (world) => {
    const name = await queue(world)
    return async () => [
      await world.call('PATCH', `/v1/queues/${name}`, { concurrency: 9 }),
      {
        action: 'queue.update',
        target_kind: 'queue',
        target: name,
        before: { concurrency: 2 },
        after: { concurrency: 9 },
      },
    ]
  },
  deleteQueue: async (world) => {
    const name = await queue(world)
    return async () => [
      await world.call('DELETE', `/v1/queues/${name}`),
      { action: 'queue.delete', target_kind: 'queue', target: name },
    ]
  },
  pauseQueue: onQueue(
    'pause',
    { reason: 'rain' },
    {
      action: 'queue.pause',
      target_kind: 'queue',
      after: { pause_reason: 'rain' },
      reason: 'rain',
    },
  ),
  resumeQueue: async (world) => {
    const name = await queue(world)
    await world.call('POST', `/v1/queues/${name}:pause`)
    return async () => [
      await world.call('POST', `/v1/queues/${name}:resume`),
      { action: 'queue.resume', target_kind: 'queue', target: name, after: { paused_at: null } },
    ]
  },
  drainQueue: onQueue('drain', undefined, { action: 'queue.drain', target_kind: 'queue' }),
  purgeQueue: onQueue(
    'purge',
    { reason: 'twice' },
    { action: 'queue.purge', target_kind: 'operation', reason: 'twice' },
  ),
  moveQueue: onQueue('move', { to: 'high' }, { action: 'queue.move', target_kind: 'operation' }),
  controlWorkers: async (world) => async () => [
    await world.call('POST', '/v1/control/time_limit?timeout=0', { task: 'demo.echo', hard: 9 }),
    { action: 'control.time_limit', target_kind: 'command', after: { args: { task: 'demo.echo' } } },
  ],
  createWebhook: async (world) => async () => [
    await world.call('POST', '/v1/webhooks', { name: 'hook', url: 'https://example.com/hook' }),
    { action: 'webhook.create', target_kind: 'webhook', after: { name: 'hook' } },
  ],
  editWebhook: async (world) => {
    const id = await webhook(world)
    return async () => [
      await world.call('PATCH', `/v1/webhooks/${id}`, { enabled: false }, IF_ANY),
      { action: 'webhook.update', target_kind: 'webhook', target: id, after: { enabled: false } },
    ]
  },
  deleteWebhook: async (world) => {
    const id = await webhook(world)
    return async () => [
      await world.call('DELETE', `/v1/webhooks/${id}`, undefined, IF_ANY),
      { action: 'webhook.delete', target_kind: 'webhook', target: id },
    ]
  },
  rotateWebhookSecret: async (world) => {
    const id = await webhook(world)
    return async () => [
      await world.call('POST', `/v1/webhooks/${id}:rotate`),
      { action: 'webhook.rotate', target_kind: 'webhook_secret', target: id },
    ]
  },
  createKey: async (world) => async () => {
    const answer = await world.call('POST', '/v1/keys', { name: 'made', scopes: ['runs:read'] })
    return [
      answer,
      { action: 'key.create', target_kind: 'key', target: answer.json.id, after: { name: 'made' } },
    ]
  },
  revokeKey: async (world) => {
    const { id } = await world.issue(['runs:read'])
    return async () => [
      await world.call('DELETE', `/v1/keys/${id}`),
      { action: 'key.revoke', target_kind: 'key', target: id, before: { revoked_at: null } },
    ]
  },
  createUser: async (world) => async () => [
    await world.call('POST', '/v1/users', { email: 'New@example.com', role: 'viewer' }),
    { action: 'user.create', target_kind: 'user', after: { email: 'new@example.com', role: 'viewer' } },
  ],
  editUser: async (world) => {
    const { id } = await signIn(world.db, 'viewer', 'edit@example.com')
    return async () => [
      await world.call('PATCH', `/v1/users/${id}`, { password: PASSWORD }),
      {
        action: 'user.update',
        target_kind: 'user',
        target: id,
        before: { password_hash: 'hidden' },
        after: { password_hash: 'hidden, changed' },
      },
    ]
  },
  deleteUser: async (world) => {
    const { id } = await signIn(world.db, 'viewer', 'gone@example.com')
    return async () => [
      await world.call('DELETE', `/v1/users/${id}`),
      { action: 'user.delete', target_kind: 'user', target: id, before: { email: 'gone@example.com' } },
    ]
  },
  signIn: async (world) => {
    const email = 'in@example.com'
    await saveUser(world.db, { email, passwordHash: await hashPassword(PASSWORD), role: 'viewer' })
    return async () => [
      await world.call('POST', '/v1/tokens', { email, password: PASSWORD }),
      { action: 'session.begin', target_kind: 'session', actor: email },
    ]
  },
  signOut: async (world) => {
    const { refreshToken, session } = await signIn(world.db, 'viewer', 'out@example.com')
    return async () => [
      await world.call('POST', '/v1/tokens:revoke', { refresh_token: refreshToken }),
      { action: 'session.end', target_kind: 'session', target: session.id, actor: 'out@example.com' },
    ]
  },
}
