/**
 * `rowbeat keys …`: list, create, revoke. A new key is the data on stdout, once: nobody can be told it again.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { createKeyControl, type KeyControl, type KeyDocument } from '../../control/keys.ts'
import { AccessError, ConfigError } from '../../errors.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { requireId } from '../runs/list.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'

export interface KeyFlags extends Flags {
  scope?: string[]
  expires?: string
}

export interface PageFlags extends Flags {
  limit?: number
  before?: string
}

async function atKeys(
  flags: Flags,
  work: (control: KeyControl, json: boolean) => Promise<void>,
): Promise<number> {
  const { config, json } = await readSettings(flags)
  await withRowbeat(config, (rowbeat) => work(createKeyControl(rowbeat), json)).catch(inWords)
  return EXIT.done
}

/** Places of a body, as the command line calls them. */
const PLACES: Readonly<Record<string, string>> = {
  '/scopes': '--scope',
  '/expires_at': '--expires',
  '/expires_in': '--expires',
  '/name': '<name>',
  '/email': '<email>',
  '/role': '--role',
  '/password': 'The password',
}

/** Throws it again, what is wrong with a draft in words of the command line. */
export function inWords(error: unknown): never {
  if (!(error instanceof AccessError) || error.code !== 'RB_ACCESS_INVALID') throw error
  const words = error.faults.map(({ pointer, detail }) => `${PLACES[pointer] ?? pointer} ${detail}`)
  throw new ConfigError(`${words.join('; ')}.`, { cause: error })
}

export async function list(flags: PageFlags): Promise<number> {
  requireId(flags.before)
  return await atKeys(flags, async (control, json) => {
    const { items, before } = await control.list(PROCESS, { limit: flags.limit ?? 50, before: flags.before })
    if (json) return say({ items, next: before })
    if (items.length === 0) return tell('There are no keys.')
    say(tableOf([['ID', 'KEY', 'NAME', 'SCOPES', 'LAST USED', 'EXPIRES', 'STATE'], ...items.map(rowOf)]))
    if (before) tell(`There are more: --before ${before}`)
  })
}

export async function create(name: string, flags: KeyFlags): Promise<number> {
  const scopes = (flags.scope ?? []).flatMap((text) => text.split(',')).filter(Boolean)
  const expires = flags.expires === undefined ? {} : expiryOf(flags.expires)
  return await atKeys(flags, async (control, json) => {
    const { key, ...document } = await control.create(PROCESS, { name, scopes, ...expires })
    say(json ? { ...document, key } : key)
    tell(`Key ${document.id} is made. Keep what is printed: it is not shown again.`)
  })
}

export async function revoke(id: string, flags: Flags): Promise<number> {
  return await atKeys(flags, async (control, json) => {
    const key = await control.revoke(PROCESS, id)
    if (json) say(key)
    else tell(`Key ${key.id} ("${key.name}") is revoked, everywhere within a second.`)
  })
}

/** An instant has a date in front; what it may be otherwise, who reads it says. */
function expiryOf(text: string): Record<string, string> {
  return /^\d{4}-/.test(text) ? { expires_at: text } : { expires_in: text }
}

function rowOf(key: KeyDocument): string[] {
  const { id, prefix, name, scopes, last_used_at, expires_at, revoked_at } = key
  const state = revoked_at === null ? 'live' : `revoked ${revoked_at}`
  return [id, `${prefix}…`, name, scopes.join(','), last_used_at ?? '-', expires_at ?? '-', state]
}
