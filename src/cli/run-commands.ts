/**
 * Commands that do something to runs that exist: revoke, retry, reschedule, delete, and operations. Named runs are done one
 * by one; flags that say which runs begin an operation, which workers work off.
 */
import { InvalidArgumentError, type Command } from 'commander'
import { durationFlag, whole } from './flags.ts'
import { addCommon } from './options.ts'

type Report = (code: number) => void

export function addRunVerbs(program: Command, report: Report): void {
  addBulk(
    addCommon(program.command('revoke').description('stop runs: what waits ends at once, what runs is told')),
  )
    .option('--terminate', 'do not wait for what runs')
    .option('--reason <text>', 'why, for others')
    .action(async (ids, flags) => report(await (await import('./run-verbs.ts')).revoke(ids, flags)))
  addBulk(
    addCommon(
      program.command('retry').description('repeat finished runs as new ones; release parked ones now'),
    ),
  )
    .option('--input <json>', 'instead of their own')
    .action(async (ids, flags) => report(await (await import('./run-verbs.ts')).retry(ids, flags)))
  addBulk(addCommon(program.command('reschedule').description('move runs that wait to another time')))
    .option('--eta <instant>', 'not before this instant')
    .option('--delay <duration>', 'not before this long from now')
    .action(async (ids, flags) => report(await (await import('./run-verbs.ts')).reschedule(ids, flags)))
  addBulk(addCommon(program.command('delete').description('delete finished runs'))).action(
    async (ids, flags) => report(await (await import('./run-verbs.ts')).remove(ids, flags)),
  )
  addCommon(program.command('operations').description('list operations, latest first; or see one'))
    .argument('[id]', 'id of an operation')
    .option('--stop', 'stop it')
    .option('--wait', 'wait for its end')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
    .option('--state <word>', 'only running, done, stopped or failed')
    .option('--limit <number>', 'at most so many (default: 20)', whole(1, 500))
    .action(async (id, flags) => report(await (await import('./operations.ts')).operations(id, flags)))
}

/** Which runs, by id or by filter, and how an operation is followed. */
function addBulk(command: Command): Command {
  return command
    .argument('[ids...]', 'ids of runs; without any, say which by flags')
    .option('--state <list>', 'only these states, as in FAILURE,RETRY')
    .option('--state-reason <list>', 'only with this reason of their state, as in overflow, time_limit')
    .option('--task <name>', 'only of this task')
    .option('--queue <name>', 'only of this queue')
    .option('--tag <text...>', 'only with this label, or all of these')
    .option('--schedule <name>', 'only of this schedule')
    .option('--query <text>', 'only those that match, as in "input.user.id:42 created:>-1h"')
    .option('--created-before <instant>', 'only older ones')
    .option('--created-after <instant>', 'only younger ones')
    .option('--all', 'all there are')
    .option('--throttle <number>', 'at most so many runs a second', perSecond)
    .option('--wait', 'wait until it is done')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
}

function perSecond(text: string): number {
  const value = Number(text)
  if (value >= 0.001 && value <= 1_000_000) return value
  throw new InvalidArgumentError('Give a number of runs a second, from 0.001 to 1000000.')
}
