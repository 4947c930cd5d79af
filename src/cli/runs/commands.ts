/**
 * `rowbeat runs …`: which commands there are and what each takes. `rowbeat runs` itself lists, with a query or flags; a word that is
 * one of the commands below is taken for it.
 */
import type { Command } from 'commander'
import { durationFlag, whole } from '../flags.ts'
import { addCommon } from '../options.ts'

type Report = (code: number) => void

const QUERY = `
A query has terms, all of which must hold: state:failed task:send* queue:high tag:x input.user.id:42 created:>-1h -tag:old "some text".
Put it in quotes, or -- in front of a term that begins with a minus.`

export function addRuns(program: Command, report: Report): void {
  const runs = addFilters(
    addCommon(program.command('runs').description('list runs, newest first; or see one')),
  )
    .enablePositionalOptions()
    .argument('[query...]', 'only those that match, as in state:failed task:send*')
    .option('--limit <number>', 'at most so many (default: 20)', whole(1, 500))
    .option('--before <id>', 'only older ones than this')
    .addHelpText('after', QUERY)
    .action(async (words, flags) => report(await (await import('./list.ts')).runs(words, flags)))
  addCommon(
    runs.command('show').description('print all there is to know of a run, with its tries and what it said'),
  )
    .argument('<id>', 'id of the run')
    .action(async (id, flags) => report(await (await import('./one.ts')).show(id, flags)))
  addCommon(runs.command('logs').description('print what a run said through context.log'))
    .argument('<id>', 'id of the run')
    .option('-f, --follow', 'go on until it has finished')
    .action(async (id, flags) => report(await (await import('./one.ts')).logs(id, flags)))
  addCommon(runs.command('watch').description('print each change of a run until it has finished'))
    .argument('<id>', 'id of the run')
    .option('--timeout <duration>', 'how long to wait (default: as long as it takes)', durationFlag)
    .action(async (id, flags) => report(await (await import('./one.ts')).watch(id, flags)))
  addCommon(
    runs
      .command('failures')
      .description('list what failed, by task, error and place, the largest group first'),
  )
    .option('--period <duration>', 'what failed in this time (default: 24h)', durationFlag)
    .option('--task <name>', 'only of this task')
    .option('--limit <number>', 'at most so many groups (default: 20)', whole(1, 500))
    .action(async (flags) => report(await (await import('./failures.ts')).failures(flags)))
  addFilters(addCommon(runs.command('export').description('write all runs that match, newest first')))
    .argument('[query...]', 'only those that match')
    .option('--format <word>', 'csv (default), json or ndjson')
    .option('-o, --output <file>', 'write them there; its ending says the format')
    .addHelpText('after', QUERY)
    .action(async (words, flags) => report(await (await import('./export.ts')).exportAll(words, flags)))
}

/** Which runs, beside a query. */
export function addFilters(command: Command): Command {
  return command
    .option('--state <list>', 'only these states, as in FAILURE,RETRY')
    .option('--task <name>', 'only of this task')
    .option('--queue <name>', 'only of this queue')
    .option('--tag <text>', 'only with this label')
}
