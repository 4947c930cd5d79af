/**
 * `rowbeat webhooks …`: which commands there are and what each takes. Without a word behind it, the list.
 */
import type { Command } from 'commander'
import { durationFlag } from '../flags.ts'
import { addCommon, refuseStrangers } from '../options.ts'

type Report = (code: number) => void

const WHICH = 'name or id of the webhook'

export function addWebhooks(program: Command, report: Report): void {
  const webhooks = refuseStrangers(
    program
      .command('webhooks')
      .description('list addresses that are told when runs end, add and remove them'),
  )
  addCommon(webhooks.command('list', { isDefault: true }).description('list webhooks, newest first')).action(
    async (flags) => report(await (await import('./verbs.ts')).list(flags)),
  )
  addCommon(webhooks.command('add').description('add a webhook and print its secret, once'))
    .argument('<name>', 'what to call it')
    .argument('<url>', 'where events are sent, as in https://example.com/hooks')
    .option('--event <event...>', 'only these, as in run.failed run.revoked (default: all ends)')
    .option('--task <glob...>', 'only runs of these tasks, as in orders.*')
    .option('--queue <name...>', 'only runs of these queues')
    .option('--tag <text...>', 'only runs with one of these tags')
    .option('--description <text>', 'for people')
    .action(async (name, url, flags) => report(await (await import('./verbs.ts')).add(name, url, flags)))
  addCommon(webhooks.command('remove').description('remove a webhook with its deliveries'))
    .argument('<webhook>', WHICH)
    .option('-y, --yes', 'do not ask')
    .action(async (which, flags) => report(await (await import('./verbs.ts')).remove(which, flags)))
  addCommon(webhooks.command('enable').description('tell a webhook again that was disabled'))
    .argument('<webhook>', WHICH)
    .action(async (which, flags) => report(await (await import('./verbs.ts')).enable(which, flags)))
  addCommon(webhooks.command('disable').description('tell a webhook nothing more'))
    .argument('<webhook>', WHICH)
    .action(async (which, flags) => report(await (await import('./verbs.ts')).disable(which, flags)))
  addCommon(webhooks.command('test').description('send an event of the type dev.rowbeat.webhook.test'))
    .argument('<webhook>', WHICH)
    .action(async (which, flags) => report(await (await import('./verbs.ts')).test(which, flags)))
  addCommon(webhooks.command('rotate').description('make a new secret and print it, once'))
    .argument('<webhook>', WHICH)
    .option('--keep <duration>', 'how long the one until now still counts (default: 24 hours)', durationFlag)
    .action(async (which, flags) => report(await (await import('./verbs.ts')).rotate(which, flags)))
}
