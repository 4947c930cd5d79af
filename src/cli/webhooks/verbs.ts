/**
 * What the commands of webhooks do, by the same verbs as REST. A secret goes to stdout, alone, so that it can be piped to where
 * secrets are kept; whatever else there is to say goes to stderr.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import { createRunControl } from '../../control/runs.ts'
import { readRotation } from '../../control/webhook-draft.ts'
import { createWebhookControl, type WebhookControl, type WebhookDocument } from '../../control/webhooks.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { consent } from '../queues/change.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'

const MOST = 500

async function atDesk(
  flags: Flags,
  work: (control: WebhookControl, json: boolean) => Promise<void>,
): Promise<number> {
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const runs = createRunControl(rowbeat)
    const outbound = { allow: config.httpAllow, httpsOnly: config.httpHttpsOnly }
    await work(createWebhookControl(rowbeat, { outbound, readRun: (id) => runs.read(PROCESS, id) }), json)
    return EXIT.done
  })
}

export async function list(flags: Flags): Promise<number> {
  return await atDesk(flags, async (control, json) => {
    const { items, before } = await control.list(PROCESS, { before: null, limit: MOST })
    if (json) say({ items, next: before })
    else if (items.length === 0) tell('There are no webhooks.')
    else say(tableOf([['NAME', 'STATE', 'EVENTS', 'OF', 'URL'], ...items.map(rowOf)]))
  })
}

export interface AddFlags extends Flags {
  event?: string[]
  task?: string[]
  queue?: string[]
  tag?: string[]
  description?: string
}

export async function add(name: string, url: string, flags: AddFlags): Promise<number> {
  const { event: events, task: tasks, queue: queues, tag: tags, description } = flags
  const given = { name, url, events, tasks, queues, tags, description }
  const body = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return await atDesk(flags, async (control, json) => {
    const made = await control.create(PROCESS, body)
    say(json ? made : made.secret)
    if (!json) tell(`${name} is told from now on. This is its secret, shown this once.`)
  })
}

export async function remove(which: string, flags: Flags & { yes?: boolean }): Promise<number> {
  await consent(flags, `Remove ${which} and what is known of its deliveries?`)
  return await atDesk(flags, async (control, json) => {
    const webhook = await find(control, which)
    await control.remove(PROCESS, webhook.id, 'any')
    if (json) say(webhook)
    else tell(`${webhook.name} is removed.`)
  })
}

export const enable = (which: string, flags: Flags): Promise<number> => edit(which, flags, true)
export const disable = (which: string, flags: Flags): Promise<number> => edit(which, flags, false)

async function edit(which: string, flags: Flags, enabled: boolean): Promise<number> {
  return await atDesk(flags, async (control, json) => {
    const { id } = await find(control, which)
    const webhook = await control.edit(PROCESS, id, { enabled }, 'any')
    if (json) say(webhook)
    else tell(`${webhook.name} is ${enabled ? 'enabled' : 'disabled'}.`)
  })
}

export async function test(which: string, flags: Flags): Promise<number> {
  return await atDesk(flags, async (control, json) => {
    const run = await control.test(PROCESS, (await find(control, which)).id)
    say(json ? run : run.id)
    if (!json) tell(`A worker sends it; \`rowbeat result ${run.id} --wait\` says what was answered.`)
  })
}

export async function rotate(which: string, flags: Flags & { keep?: number }): Promise<number> {
  const keep = readRotation(flags.keep === undefined ? {} : { keep: flags.keep / 1000 })
  return await atDesk(flags, async (control, json) => {
    const { id } = await find(control, which)
    const webhook = await control.rotate(PROCESS, id, keep)
    say(json ? webhook : webhook.secret)
    if (!json) tell(`This is the new secret of ${webhook.name}, shown this once.`)
  })
}

async function find(control: WebhookControl, which: string): Promise<WebhookDocument> {
  return await control.read(PROCESS, isUuid(which) ? which : await control.find(PROCESS, which))
}

function rowOf({ name, url, events, tasks, queues, tags, ...webhook }: WebhookDocument): string[] {
  const { enabled, disabled_reason, failing_since } = webhook
  const state = enabled ? (failing_since ? `failing since ${failing_since}` : 'enabled') : 'disabled'
  const of = [...(tasks ?? []), ...(queues ?? []), ...(tags ?? [])].join(' ') || 'all'
  return [name, disabled_reason ? `${state}: ${disabled_reason}` : state, events.join(' '), of, url]
}
