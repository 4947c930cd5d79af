/**
 * `rowbeat users …`: who may sign in. People are named by their e-mail address or id. A password that is made here is the data on
 * stdout, once; one that is chosen is asked for or read from stdin (secret.ts).
 */
import { makePassword } from '../../auth/password.ts'
import { PROCESS } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import { createUserControl, type UserControl, type UserDocument } from '../../control/users.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { consent } from '../queues/change.ts'
import { requireId } from '../runs/list.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'
import { inWords, type PageFlags } from './keys.ts'
import { readPassword } from './secret.ts'

const ONCE = 'Keep the password that is printed: it is not shown again.'

async function atUsers(
  flags: Flags,
  work: (control: UserControl, json: boolean) => Promise<void>,
): Promise<number> {
  const { config, json } = await readSettings(flags)
  await withRowbeat(config, (rowbeat) => work(createUserControl(rowbeat), json)).catch(inWords)
  return EXIT.done
}

async function idOf(control: UserControl, who: string): Promise<string> {
  return isUuid(who) ? who : await control.find(PROCESS, who)
}

export async function list(flags: PageFlags): Promise<number> {
  requireId(flags.before)
  return await atUsers(flags, async (control, json) => {
    const { items, before } = await control.list(PROCESS, { limit: flags.limit ?? 50, before: flags.before })
    if (json) return say({ items, next: before })
    if (items.length === 0) return tell('There are no users.')
    say(tableOf([['ID', 'E-MAIL', 'ROLE', 'STATE', 'CREATED'], ...items.map(rowOf)]))
    if (before) tell(`There are more: --before ${before}`)
  })
}

export async function create(
  email: string,
  flags: Flags & { role?: string; askPassword?: boolean },
): Promise<number> {
  const chosen = flags.askPassword ? { password: await readPassword() } : {}
  return await atUsers(flags, async (control, json) => {
    const made = await control.create(PROCESS, { email, role: flags.role, ...chosen })
    if (json) return say(made)
    if (made.password !== null) say(made.password)
    tell(`${made.email} may sign in as ${made.role}.${made.password === null ? '' : ` ${ONCE}`}`)
  })
}

export async function edit(who: string, flags: Flags & { role?: string }): Promise<number> {
  return await change(who, flags, { role: flags.role }, (user) => `${user.email} is ${user.role} now`)
}

export async function disable(who: string, flags: Flags): Promise<number> {
  return await change(who, flags, { disabled: true }, ({ email }) => `${email} cannot sign in any more`)
}

export async function enable(who: string, flags: Flags): Promise<number> {
  return await change(who, flags, { disabled: false }, ({ email }) => `${email} may sign in again`)
}

async function change(
  who: string,
  flags: Flags,
  body: Record<string, unknown>,
  words: (user: UserDocument) => string,
): Promise<number> {
  return await atUsers(flags, async (control, json) => {
    const user = await control.edit(PROCESS, await idOf(control, who), body)
    if (json) say(user)
    else tell(`${words(user)}.`)
  })
}

export async function password(who: string, flags: Flags & { generate?: boolean }): Promise<number> {
  const chosen = flags.generate ? makePassword() : await readPassword()
  return await atUsers(flags, async (control, json) => {
    const user = await control.edit(PROCESS, await idOf(control, who), { password: chosen })
    if (json) return say({ ...user, password: flags.generate ? chosen : null })
    if (flags.generate) say(chosen)
    tell(`${user.email} has a new password, and has to sign in anew.${flags.generate ? ` ${ONCE}` : ''}`)
  })
}

export async function remove(who: string, flags: Flags & { yes?: boolean }): Promise<number> {
  return await atUsers(flags, async (control, json) => {
    const id = await idOf(control, who)
    await consent(flags, `Delete the account ${who}?`)
    const user = await control.remove(PROCESS, id)
    if (json) say(user)
    else tell(`The account ${user.email} is gone.`)
  })
}

function rowOf({ id, email, role, disabled_at, created_at }: UserDocument): string[] {
  return [id, email, role, disabled_at === null ? 'live' : `disabled ${disabled_at}`, created_at]
}
