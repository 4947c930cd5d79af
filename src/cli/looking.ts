/**
 * Commands that look at a set-up, live or not: workers, top, doctor, report, check, config; and purge, shell and completion, which
 * Celery's users expect beside them.
 */
import type { Command } from 'commander'
import { durationFlag } from './flags.ts'
import { addCommon, addGrace, addServing } from './options.ts'
import { addWorking } from './working.ts'

type Report = (code: number) => void

export function addLooking(program: Command, report: Report): void {
  addLive(program, report)
  addSetup(program, report)
  addTools(program, report)
}

function addLive(program: Command, report: Report): void {
  addCommon(
    program
      .command('workers')
      .description('list the workers that live, or print all there is to know of one'),
  )
    .argument('[name]', 'name of a worker')
    .action(async (name, flags) => report(await (await import('./workers.ts')).workers(name, flags)))
  addCommon(
    program
      .command('tasks')
      .description('list tasks that were registered, or print all there is to know of one'),
  )
    .argument('[name]', 'name of a task')
    .option('--period <duration>', 'of one: figures of the runs of this time (default: 1 day)', durationFlag)
    .action(async (name, flags) => report(await (await import('./tasks.ts')).tasks(name, flags)))
  addCommon(program.command('top').description('watch queues, workers and throughput, anew each second'))
    .option('--once', 'look twice, print what was seen, and end; so it is away from a terminal')
    .option('--interval <duration>', 'how often to look (default: 1s)', durationFlag)
    .action(async (flags) => report(await (await import('./top/top.ts')).top(flags)))
  addCommon(
    program.command('doctor').description('look at a live set-up, and say how to mend what is not well'),
  ).action(async (flags) => report(await (await import('./doctor/doctor.ts')).doctor(flags)))
  addCommon(program.command('purge').description('revoke all that waits on queues; it is counted first'))
    .argument('[queues...]', 'names of queues')
    .option('--all', 'of all queues')
    .option('-y, --yes', 'do not ask')
    .option('--reason <text>', 'why, for their results')
    .option(
      '--timeout <duration>',
      'how long to wait for its end (default: as long as it takes)',
      durationFlag,
    )
    .action(async (names, flags) => report(await (await import('./purge.ts')).purge(names, flags)))
}

function addSetup(program: Command, report: Report): void {
  addCommon(
    program
      .command('check')
      .description('read variables, rowbeat.config.ts and the modules of tasks, and tell every fault'),
  )
    .option('--with-database', 'hold what the database has against it too')
    .action(async (flags) => report(await (await import('./setup/check.ts')).check(flags)))
  const config = program.command('config').description('what the settings are')
  addGrace(
    addWorking(
      addServing(
        addCommon(config.command('print').description('print every setting and where it comes from')),
      ),
    ),
  )
    .option('--changed', 'only those that are not at their default')
    .action(async (flags) => report(await (await import('./setup/print.ts')).printConfig(flags)))
  addCommon(program.command('report').description('print what a bug report should say of a set-up')).action(
    async (flags) => report(await (await import('./setup/report.ts')).report(flags)),
  )
}

function addTools(program: Command, report: Report): void {
  addCommon(
    program.command('shell').description('open a prompt with rowbeat, the tasks and the database at hand'),
  ).action(async (flags) => report(await (await import('./tools/shell.ts')).shell(flags)))
  addCommon(program.command('completion').description('print a script that completes commands for a shell'))
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell, flags) =>
      report(await (await import('./tools/completion.ts')).completion(shell, program, flags)),
    )
}
