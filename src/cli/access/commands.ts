/**
 * `rowbeat keys …` and `rowbeat users …`: which commands there are and what each takes. Without a word behind it, the list.
 */
import type { Command } from 'commander'
import { whole } from '../flags.ts'
import { addCommon, refuseStrangers } from '../options.ts'

type Report = (code: number) => void

const WHO = 'e-mail address or id'
const ROLES = 'viewer, operator or admin'

export function addAccess(program: Command, report: Report): void {
  addKeys(program, report)
  addUsers(program, report)
}

function addKeys(program: Command, report: Report): void {
  const keys = refuseStrangers(
    program.command('keys').description('list, make and revoke keys of the REST API'),
  )
  addPage(addCommon(keys.command('list', { isDefault: true }).description('list keys, newest first'))).action(
    async (flags) => report(await (await import('./keys.ts')).list(flags)),
  )
  addCommon(keys.command('create').description('make a key and print it, once'))
    .argument('<name>', 'what it is for')
    .requiredOption('--scope <scope...>', 'what it may do, as in runs:read runs:write; * is all')
    .option('--expires <instant or duration>', 'until when it is good (default: for ever)')
    .action(async (name, flags) => report(await (await import('./keys.ts')).create(name, flags)))
  addCommon(keys.command('revoke').description('refuse a key from now on'))
    .argument('<id>', 'id of the key')
    .action(async (id, flags) => report(await (await import('./keys.ts')).revoke(id, flags)))
}

function addUsers(program: Command, report: Report): void {
  const users = refuseStrangers(program.command('users').description('list and change who may sign in'))
  addPage(
    addCommon(users.command('list', { isDefault: true }).description('list people, newest first')),
  ).action(async (flags) => report(await (await import('./users.ts')).list(flags)))
  addCommon(users.command('create').description('let somebody sign in, and print the password, once'))
    .argument('<email>', 'e-mail address to sign in with')
    .requiredOption('--role <role>', ROLES)
    .option('--ask-password', 'choose the password: it is asked for, or one line of stdin')
    .action(async (email, flags) => report(await (await import('./users.ts')).create(email, flags)))
  addCommon(users.command('edit').description('give somebody another role'))
    .argument('<who>', WHO)
    .requiredOption('--role <role>', ROLES)
    .action(async (who, flags) => report(await (await import('./users.ts')).edit(who, flags)))
  addCommon(users.command('password').description('change a password: it is asked for, or one line of stdin'))
    .argument('<who>', WHO)
    .option('--generate', 'make one and print it, once')
    .action(async (who, flags) => report(await (await import('./users.ts')).password(who, flags)))
  addCommon(users.command('disable').description('let somebody sign in no more'))
    .argument('<who>', WHO)
    .action(async (who, flags) => report(await (await import('./users.ts')).disable(who, flags)))
  addCommon(users.command('enable').description('let somebody who was disabled sign in again'))
    .argument('<who>', WHO)
    .action(async (who, flags) => report(await (await import('./users.ts')).enable(who, flags)))
  addCommon(users.command('delete').description('delete an account'))
    .argument('<who>', WHO)
    .option('-y, --yes', 'do not ask')
    .action(async (who, flags) => report(await (await import('./users.ts')).remove(who, flags)))
}

function addPage(command: Command): Command {
  return command
    .option('--limit <number>', 'at most so many (default: 50)', whole(1, 500))
    .option('--before <id>', 'only older ones than this')
}
