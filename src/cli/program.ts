/**
 * The command line: which commands there are, what each takes, and what `--help` says. What a command does is imported
 * when it is called, so that `rowbeat runs` does not pay for a web server.
 */
import { Command, CommanderError, Option } from 'commander'
import { addAccess } from './access/commands.ts'
import { readEnvironment, RUNS_MAX } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { describeCommands } from './commands.ts'
import { durationFlag, whole } from './flags.ts'
import { addLooking } from './looking.ts'
import { addCommon, addGrace, addServing } from './options.ts'
import { addRunVerbs } from './run-commands.ts'
import { addRuns } from './runs/commands.ts'
import { addQueues } from './queues/commands.ts'
import { addSchedules } from './schedules/commands.ts'
import { addWebhooks } from './webhooks/commands.ts'
import { EXIT, say, tellError } from './words.ts'
import { addWorking } from './working.ts'

const EXIT_CODES = `
Exit codes: 0 done, 1 the run failed or was not found, 2 usage or configuration, 3 database unreachable, 4 timed out.`

const ASPECT_WORDS = 'active, active_queues, ping, registered, report, reserved, revoked, scheduled or stats'

type Report = (code: number) => void

/** The level as it was asked for: the configuration itself may be what is wrong. */
function wantsDetails(): boolean {
  return ['debug', 'trace'].includes(readEnvironment().ROWBEAT_LOG_LEVEL ?? '')
}

/** Runs one call and answers its exit code. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let code: number = EXIT.done
  const program = buildProgram((given) => (code = given))
  try {
    await program.parseAsync([...words], { from: 'user' })
    return code
  } catch (error) {
    const json = words.includes('--json')
    if (error instanceof CommanderError) return usageCode(error, json)
    return tellError(error, { json, debug: wantsDetails() })
  }
}

/** Commander has said its words already. */
function usageCode({ exitCode, message }: CommanderError, json: boolean): number {
  if (exitCode === 0) return EXIT.done
  if (json) say({ error: new ConfigError(message.replace(/^error: /, '')).toJSON() })
  return EXIT.usage
}

export function buildProgram(report: Report): Command {
  const program = new Command('rowbeat')
    .description('Background tasks, durable results and schedules, on the Postgres you already run.')
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText('afterAll', EXIT_CODES)
  addServers(program, report)
  addStore(program, report)
  addCalls(program, report)
  addRuns(program, report)
  addRunVerbs(program, report)
  addControl(program, report)
  addQueues(program, report)
  addSchedules(program, report)
  addWebhooks(program, report)
  addLooking(program, report)
  addAccess(program, report)
  return program
}

function addServers(program: Command, report: Report): void {
  const start = program
    .command('start')
    .description('run everything here: PostgreSQL (unless DATABASE_URL names one), API, worker and beat')
  addGrace(addWorking(addServing(addCommon(start)))).action(async (flags) =>
    report(await (await import('./start/start.ts')).start(flags)),
  )
  const api = program
    .command('api')
    .description('serve the REST API, and the routes of ROWBEAT_APP beside it')
  addGrace(addServing(addCommon(api)))
    .addOption(supervised())
    .action(async (flags) => report(await (await import('./api.ts')).serveApi(flags)))
  const worker = program.command('worker').description('run tasks')
  addGrace(addWorking(addCommon(worker)))
    .option('--max-runs <number>', 'end, with exit code 0, after so many runs', whole(1, RUNS_MAX))
    .option('-B, --beat', 'fire schedules too: in this process, or with several in one of its own')
    .addOption(supervised())
    .action(async (flags) => report(await (await import('./worker.ts')).work(flags)))
  const beat = program.command('beat').description('fire schedules; any number may run at once')
  addGrace(addCommon(beat))
    .option('--name <name>', 'what the registry calls it (default: host and pid)')
    .addOption(supervised())
    .action(async (flags) => report(await (await import('./beat.ts')).beat(flags)))
}

function addStore(program: Command, report: Report): void {
  addCommon(program.command('migrate').description('bring the database to the schema of this release'))
    .option('--dry-run', 'only name what is pending')
    .option('--sql', 'only print the SQL of what is pending')
    .action(async (flags) => report(await (await import('./migrate.ts')).migrateStore(flags)))
  addCommon(program.command('psql').description('open psql on the database (its own words come last)'))
    .argument('[words...]', 'passed on to psql')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words, flags) => report(await (await import('./psql.ts')).psql(words, flags)))
}

function addCalls(program: Command, report: Report): void {
  addCommon(program.command('call').description('enqueue a run of a task and print its id'))
    .argument('<task>', 'name of the task, as in demo.add')
    .argument('[input]', 'its input as JSON', '{}')
    .option('--wait', 'wait for its end and print what it returned')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
    .option('--queue <name>', 'where it waits')
    .option('--priority <number>', 'lower runs first', whole(-32_768, 32_767))
    .option('--delay <duration>', 'not before this long from now')
    .option('--eta <instant>', 'not before this instant')
    .option('--expires <instant or duration>', 'not after this')
    .option('--id <uuid>', 'an id of your own; a second call with it answers the first run')
    .option('--unique-key <text>', 'held against a second run of the task until this one has finished')
    .option('--unique-while <word>', 'until when the key is held: queued or unfinished (default)')
    .option('--unique-for <duration>', 'the key is held for this long, also when the run has finished')
    .option('--on-conflict <word>', 'when the key is held: keep (default), replace or reject')
    .option('--debounce <duration>', 'wait this long, anew with each call of the same unique key')
    .option('--debounce-max <duration>', 'and the first of them no longer than this')
    .option('--idempotency-key <text>', 'a second call with it answers the first run, finished or not')
    .option('--idempotency-for <duration>', 'for how long (default: 24 hours)')
    .option('--concurrency-key <text>', 'whose concurrency limit it counts for')
    .option('--rate-key <text>', 'whose rate it counts for')
    .option('--attempts-max <number>', 'tries in all', whole(1, 1_000_000))
    .option('--time-limit <duration>', 'a try that takes longer is ended')
    .option('--tag <text...>', 'labels')
    .action(async (task, input, flags) => report(await (await import('./call.ts')).call(task, input, flags)))
  addCommon(program.command('result').description('print what a run returned'))
    .argument('<id>', 'id of the run')
    .option('--wait', 'wait for its end')
    .option('--timeout <duration>', 'how long to wait (default: 1 minute); implies --wait', durationFlag)
    .action(async (id, flags) => report(await (await import('./result.ts')).result(id, flags)))
}

function addControl(program: Command, report: Report): void {
  const some = (command: Command): Command =>
    addCommon(command).option(
      '-d, --destination <name...>',
      'only workers of these names (default: all that live)',
    )
  const timeout = [
    '--timeout <duration>',
    'how long to wait for answers (default: 1s)',
    durationFlag,
  ] as const
  some(program.command('status').description('list the workers that live')).action(async (flags) =>
    report(await (await import('./inspect.ts')).status(flags)),
  )
  some(program.command('inspect').description('look at what workers are at'))
    .argument('<what>', ASPECT_WORDS)
    .option(...timeout)
    .action(async (what, flags) => report(await (await import('./inspect.ts')).inspectWorkers(what, flags)))
  some(program.command('control').description('tell workers what to do'))
    .argument('<command>', 'as below')
    .argument('[words...]', 'what it takes')
    .option(...timeout)
    .addHelpText('after', () => `\nCommands:\n${describeCommands()}`)
    .action(async (command, words, flags) =>
      report(await (await import('./control.ts')).controlWorkers(command, words, flags)),
    )
}

/** How a supervisor calls its children. */
function supervised(): Option {
  return new Option('--supervised').hideHelp()
}
