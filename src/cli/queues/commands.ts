/**
 * `rowbeat queues …`: which commands there are and what each takes. Without a word behind it, the list.
 */
import type { Command } from 'commander'
import { instantFlag, number } from '../schedules/values.ts'
import { durationFlag, whole } from '../flags.ts'
import { addCommon, refuseStrangers } from '../options.ts'

type Report = (code: number) => void

const WHICH = 'name of the queue'
const MOST = 1_000_000

export function addQueues(program: Command, report: Report): void {
  const queues = refuseStrangers(
    program
      .command('queues')
      .description('list queues, limit them, and hold up, empty or move what waits on them'),
  )
  addCommon(
    queues.command('list', { isDefault: true }).description('list queues and what waits on them'),
  ).action(async (flags) => report(await (await import('./look.ts')).list(flags)))
  addCommon(queues.command('show').description('print all there is to know of a queue'))
    .argument('<queue>', WHICH)
    .action(async (name, flags) => report(await (await import('./look.ts')).show(name, flags)))
  addLimiting(queues, report)
  addHolding(queues, report)
  addEmptying(queues, report)
}

function addLimiting(queues: Command, report: Report): void {
  addLimits(
    addCommon(
      queues
        .command('define')
        .description('make a queue, or set all its limits anew; what is not given is no limit'),
    ),
  )
    .argument('<queue>', WHICH)
    .action(async (name, flags) => report(await (await import('./change.ts')).define(name, flags)))
  addLimits(addCommon(queues.command('set').description('change the limits that are given, and only those')))
    .argument('<queue>', WHICH)
    .option('--unset <limit...>', 'take a limit away, as in concurrency rate')
    .action(async (name, flags) => report(await (await import('./change.ts')).set(name, flags)))
}

function addHolding(queues: Command, report: Report): void {
  addCommon(queues.command('pause').description('start nothing more of a queue; what runs goes on'))
    .argument('<queue>', WHICH)
    .option('--reason <text>', 'why, for others')
    .option('--for <duration>', 'go on by itself after so long', durationFlag)
    .option('--until <instant>', 'go on by itself at this instant', instantFlag)
    .action(async (name, flags) => report(await (await import('./change.ts')).pause(name, flags)))
  addCommon(queues.command('resume').description('end a pause or a drain; what waited goes first'))
    .argument('<queue>', WHICH)
    .action(async (name, flags) => report(await (await import('./change.ts')).resume(name, flags)))
  addCommon(
    queues.command('drain').description('work off what waits; what comes now waits until it is resumed'),
  )
    .argument('<queue>', WHICH)
    .action(async (name, flags) => report(await (await import('./change.ts')).drain(name, flags)))
}

function addEmptying(queues: Command, report: Report): void {
  addFollowing(addCommon(queues.command('purge').description('revoke all that waits on a queue')))
    .argument('<queue>', WHICH)
    .option('--reason <text>', 'why, for their results')
    .action(async (name, flags) => report(await (await import('./change.ts')).purge(name, flags)))
  addFollowing(addCommon(queues.command('move').description('move all that waits on a queue to another')))
    .argument('<queue>', WHICH)
    .argument('<to>', 'the queue that it goes to')
    .action(async (name, to, flags) => report(await (await import('./change.ts')).move(name, to, flags)))
  addYes(addCommon(queues.command('remove').description('forget a queue that nothing uses, with its limits')))
    .argument('<queue>', WHICH)
    .action(async (name, flags) => report(await (await import('./change.ts')).remove(name, flags)))
}

function addLimits(command: Command): Command {
  return command
    .option('--concurrency <number>', 'runs at once over all workers', whole(1, MOST))
    .option('--rate <rate>', 'starts in a time over all workers, as in 10/m or 50/s')
    .option('--rate-burst <number>', 'starts that the rate lets pass at once', whole(1, MOST))
    .option('--hot-limit <number>', 'runs that may wait in the hot table; the rest overflows', whole(0, MOST))
}

function addFollowing(command: Command): Command {
  return addYes(command)
    .option('--throttle <number>', 'runs a second at most', number(0.001, MOST))
    .option('--wait', 'wait until it is done')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
}

function addYes(command: Command): Command {
  return command.option('-y, --yes', 'do not ask')
}
