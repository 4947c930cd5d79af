/**
 * `rowbeat schedules …`: which commands there are and what each takes. A schedule is named by its name or its id. When it
 * is due is said in one of four ways: --cron, --every, --solar, --at.
 */
import type { Command } from 'commander'
import type { CatchUp, Overlap } from '../../schedules/definition.ts'
import { durationFlag, whole } from '../flags.ts'
import { addCommon } from '../options.ts'
import { instantFlag, number, word } from './values.ts'

type Report = (code: number) => void

// Named here too: the engine of schedules is loaded by those who need it.
const OVERLAPS: readonly Overlap[] = ['allow', 'skip', 'buffer_one', 'cancel_other']
const CATCH_UPS: readonly CatchUp[] = ['last', 'all', 'skip']
const WHICH = 'name or id of the schedule'

export function addSchedules(program: Command, report: Report): void {
  const schedules = program
    .command('schedules')
    .description('list, make and change schedules: when tasks run by themselves')
  addLooking(schedules, report)
  addChanging(schedules, report)
  addDoing(schedules, report)
  addRehearsing(schedules, report)
  addExchanging(schedules, report)
}

function addLooking(schedules: Command, report: Report): void {
  addFilters(addCommon(schedules.command('list').description('list schedules by name')))
    .option('--limit <number>', 'at most so many (default: 50)', whole(1, 500))
    .option('--after <name>', 'only names behind this one')
    .action(async (flags) => report(await (await import('./look.ts')).list(flags)))
  addCommon(schedules.command('show').description('print a schedule and its next instants'))
    .argument('<schedule>', WHICH)
    .action(async (which, flags) => report(await (await import('./look.ts')).show(which, flags)))
  addCommon(schedules.command('firings').description('print what became of its instants, latest first'))
    .argument('<schedule>', WHICH)
    .option('--state <list>', 'only these, as in skipped,missed')
    .option('--limit <number>', 'at most so many (default: 20)', whole(1, 500))
    .option('--before <instant>', 'only instants before this one', instantFlag)
    .action(async (which, flags) => report(await (await import('./look.ts')).firings(which, flags)))
  addCommon(schedules.command('versions').description('print what it was, latest first, and who made it so'))
    .argument('<schedule>', WHICH)
    .option('--limit <number>', 'at most so many (default: 20)', whole(1, 500))
    .option('--before <version>', 'only versions before this one', whole(1, 999_999_999))
    .action(async (which, flags) => report(await (await import('./outlook.ts')).versions(which, flags)))
  addCommon(
    schedules.command('timeline').description('print the instants of all in the hours ahead, and collisions'),
  )
    .option('--from <instant>', 'from then on (default: now)', instantFlag)
    .option('--hours <number>', 'so many (default: 24)', whole(1, 168))
    .action(async (flags) => report(await (await import('./outlook.ts')).timeline(flags)))
  addTiming(
    addCommon(
      schedules.command('preview').description('print the next instants of a schedule, or of a timing'),
    ),
  )
    .argument('[schedule]', `${WHICH}; without it, say when`)
    .option('--after <instant>', 'those after this one (default: now)', instantFlag)
    .option('--count <number>', 'so many (default: 10)', whole(1, 1000))
    .action(async (which, flags) => report(await (await import('./look.ts')).preview(which, flags)))
  addCommon(
    schedules.command('orphans').description('list those that code once declared and the code here does not'),
  ).action(async (flags) => report(await (await import('./look.ts')).orphans(flags)))
}

function addChanging(schedules: Command, report: Report): void {
  addDefinition(
    addTiming(addCommon(schedules.command('create').description('make a schedule and print its id'))),
  )
    .argument('<name>', 'what to call it')
    .argument('<task>', 'name of the task to run')
    .argument('[input]', 'its input as JSON', '{}')
    .option('--disabled', 'make it switched off')
    .action(async (name, task, input, flags) =>
      report(await (await import('./change.ts')).create(name, task, input, flags)),
    )
  addVersion(
    addDefinition(
      addTiming(addCommon(schedules.command('edit').description('change what is given, and only that'))),
    ),
  )
    .argument('<schedule>', WHICH)
    .option('--name <text>', 'call it so')
    .option('--task <name>', 'run this task')
    .option('--input <json>', 'give it this input')
    .option('--unset <field...>', 'back to the default, as in queue expires')
    .action(async (which, flags) => report(await (await import('./change.ts')).edit(which, flags)))
  addVersion(addCommon(schedules.command('delete').description('delete a schedule; its runs stay')))
    .argument('<schedule>', WHICH)
    .action(async (which, flags) => report(await (await import('./change.ts')).remove(which, flags)))
  addVersion(addCommon(schedules.command('pause').description('switch a schedule off')))
    .argument('<schedule>', WHICH)
    .option('--reason <text>', 'why, for others')
    .option('--until <instant or duration>', 'until then; without it, until it is resumed')
    .action(async (which, flags) => report(await (await import('./change.ts')).pause(which, flags)))
  addVersion(
    addCommon(schedules.command('resume').description('switch a schedule on; nothing of the past fires')),
  )
    .argument('<schedule>', WHICH)
    .action(async (which, flags) => report(await (await import('./change.ts')).resume(which, flags)))
  addVersion(
    addCommon(
      schedules
        .command('revert')
        .description('give a schedule back to its code, or take it back to a version'),
    ),
  )
    .argument('<schedule>', WHICH)
    .option('--to <version>', 'this one, as `versions` lists it', whole(1, 999_999_999))
    .option('--reason <text>', 'why, for others')
    .action(async (which, flags) => report(await (await import('./change.ts')).revert(which, flags)))
}

function addDoing(schedules: Command, report: Report): void {
  addCommon(schedules.command('run').description('enqueue a run of it now and print its id'))
    .argument('<schedule>', WHICH)
    .option('--as-of <instant>', 'the instant it stands for (default: now)', instantFlag)
    .option('--input <json>', 'instead of its own')
    .option('--queue <name>', 'instead of its own')
    .option('--priority <number>', 'instead of its own', whole(-32_768, 32_767))
    .option('--wait', 'wait for its end and print what it returned')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
    .action(async (which, flags) => report(await (await import('./fire.ts')).run(which, flags)))
  addCommon(
    schedules.command('backfill').description('fire instants of the past that were not fired, at most 1,000'),
  )
    .argument('<schedule>', WHICH)
    .requiredOption('--from <instant>', 'the first of the stretch', instantFlag)
    .requiredOption('--to <instant>', 'the last of it; not ahead of now', instantFlag)
    .option('--dry-run', 'only print which')
    .action(async (which, flags) => report(await (await import('./fire.ts')).backfill(which, flags)))
}

function addRehearsing(schedules: Command, report: Report): void {
  addCommon(
    schedules.command('dry-run').description('print the run that a firing would make; nothing is made'),
  )
    .argument('<schedule>', WHICH)
    .option('--as-of <instant>', 'the due instant (default: the next one)', instantFlag)
    .action(async (which, flags) => report(await (await import('./outlook.ts')).dryRun(which, flags)))
}

function addExchanging(schedules: Command, report: Report): void {
  addFilters(
    addCommon(schedules.command('export').description('print schedules as a file that import takes')),
  ).action(async (flags) => report(await (await import('./exchange.ts')).exportFile(flags)))
  addCommon(schedules.command('import').description('make the schedules of a file, all or none'))
    .argument('<file>', 'what export printed; - for stdin')
    .option(
      '--mode <how>',
      'skip or replace names that stand (default: refuse the file)',
      word('skip', 'replace'),
    )
    .action(async (file, flags) => report(await (await import('./exchange.ts')).importFile(file, flags)))
}

function addFilters(command: Command): Command {
  return command
    .option('--task <name>', 'only of this task')
    .option('--queue <name>', 'only with this queue')
    .option(
      '--kind <kind>',
      'only crontab, interval, solar or clocked',
      word('crontab', 'interval', 'solar', 'clocked'),
    )
    .option('--origin <origin>', 'only user or code', word('user', 'code'))
    .option('--tag <text>', 'only with this label')
    .option('--on', 'only those that are switched on')
    .option('--off', 'only those that are switched off')
    .option('--broken', 'only those that cannot fire')
}

function addVersion(command: Command): Command {
  return command.option(
    '--if-version <number>',
    'only if it is still at this version',
    whole(1, 2_147_483_647),
  )
}

function addTiming(command: Command): Command {
  return command
    .option('--cron <line>', "five fields as in '0 3 * * *', or @daily")
    .option('--timezone <zone>', 'of the crontab (default: ROWBEAT_TIMEZONE, then UTC)')
    .option(
      '--mode <rule>',
      'of the crontab: celery (default), cron: one of the day fields is enough',
      word('celery', 'cron'),
    )
    .option('--every <interval>', "as in '15 minutes', '1 month'")
    .option('--solar <event>', 'as in sunset; with --latitude and --longitude')
    .option('--latitude <degrees>', 'north is positive', number(-90, 90))
    .option('--longitude <degrees>', 'east is positive', number(-180, 180))
    .option('--at <instant>', 'once, then', instantFlag)
}

function addDefinition(command: Command): Command {
  return command
    .option('--queue <name>', 'where its runs wait')
    .option('--priority <number>', 'lower runs first', whole(-32_768, 32_767))
    .option('--tag <text...>', 'labels of its runs')
    .option('--headers <json>', 'headers of its runs')
    .option('--expires <duration>', 'a run that has not started so long after its instant never does')
    .option('--one-off', 'fire once and be done')
    .option('--start <instant>', 'nothing before', instantFlag)
    .option('--end <instant>', 'nothing after', instantFlag)
    .option('--anchor <instant>', 'where an interval counts from (default: --start, then now)', instantFlag)
    .option('--jitter <duration>', 'each run waits a random part of this')
    .option(
      '--overlap <how>',
      'while the last run has not ended: allow (default), skip, buffer_one, cancel_other',
      word(...OVERLAPS),
    )
    .option('--catch-up <how>', 'after a time without a beat: last (default), all, skip', word(...CATCH_UPS))
    .option('--catch-up-window <duration>', 'instants missed for longer are not caught up')
    .option('--firings-max <number>', 'fire so often and be done', whole(1, 2_147_483_647))
    .option('--failures-max <number>', 'pause after so many failed runs in a row', whole(1, 2_147_483_647))
    .option('--description <text>', 'what it is for')
}
