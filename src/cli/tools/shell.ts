/**
 * `rowbeat shell`: Node's own prompt with the project at hand: its rowbeat, its tasks, its database. await works at the prompt, what
 * was typed is remembered. What comes from a file or a pipe is run as one script, with the same at hand; one that throws exits 1.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { start, type REPLServer } from 'node:repl'
import { PROCESS } from '../../auth/scopes.ts'
import { createQueueControl } from '../../control/queues.ts'
import { createRunControl } from '../../control/runs.ts'
import { createWorkerControl } from '../../control/workers.ts'
import { connect } from '../../db/connect.ts'
import { toQueryable } from '../../db/handle.ts'
import { requireMigrated } from '../../db/migrate.ts'
import { createRowbeat, type Rowbeat } from '../../queue/rowbeat.ts'
import { explainAbsence, findDatabase, placeOf } from '../database.ts'
import { loadModules } from '../modules.ts'
import { readSettings, type Flags } from '../options.ts'
import { queryFrom } from '../runs/list.ts'
import { EXIT, say, tell } from '../words.ts'

const HELP = {
  rowbeat: 'enqueue, revoke, retry, run, in(tx): what createRowbeat gives',
  tasks: "tasks['demo.add']: the tasks of ROWBEAT_TASKS and rowbeat.config.ts, by name",
  sql: 'await sql`select now()`: postgres.js on the database',
  run: 'await run(id): the document of a run',
  runs: "await runs('state:failed task:demo*', 20): the newest that match",
  queues: 'await queues(): as `rowbeat queues`',
  workers: 'await workers(): as `rowbeat workers`',
} as const

export async function shell(flags: Flags): Promise<number> {
  const { config, given, json } = await readSettings(flags, {})
  const url = findDatabase(config)
  if (json) {
    say({ names: HELP })
    return EXIT.done
  }
  const { tasks } = await loadModules(config, given)
  await requireMigrated(url, 'shell', config.prepare).catch((error: unknown) => {
    throw explainAbsence(error, config)
  })
  const sql = connect({ url, role: 'shell', max: 4, prepare: config.prepare, arrayTypes: true })
  const { routes } = given
  const rowbeat = createRowbeat({ db: sql, tasks, routes, unknownQueue: config.unknownQueue })
  const context = {
    rowbeat,
    tasks: Object.fromEntries(tasks.map((task) => [task.name, task])),
    sql,
    ...verbsOf(rowbeat),
  }
  try {
    if (!process.stdin.isTTY) return await runScript(context)
    const names = Object.keys(HELP).join(', ')
    tell(
      `${placeOf(url)}, ${tasks.length} tasks. At hand: ${names}; .names says what they are, .exit leaves.`,
    )
    await serve(context)
    return EXIT.done
  } finally {
    await rowbeat.close()
    await sql.end({ timeout: 1 })
  }
}

async function runScript(context: Record<string, unknown>): Promise<number> {
  const script = await text(process.stdin)
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as FunctionConstructor
  try {
    await (AsyncFunction(...Object.keys(context), script) as (...given: unknown[]) => Promise<unknown>)(
      ...Object.values(context),
    )
    return EXIT.done
  } catch (error) {
    tell(error instanceof Error ? (error.stack ?? String(error)) : String(error))
    return EXIT.failed
  }
}

/** Resolves when somebody leaves. */
async function serve(context: Record<string, unknown>): Promise<void> {
  const server = start({ prompt: 'rowbeat> ' })
  Object.assign(server.context, context)
  server.defineCommand('names', {
    help: 'What is at hand',
    action() {
      for (const [name, words] of Object.entries(HELP)) tell(`  ${name.padEnd(9)}${words}`)
      this.displayPrompt()
    },
  })
  rememberLines(server)
  await new Promise<void>((resolve) => server.once('exit', resolve))
}

function verbsOf(rowbeat: Rowbeat): Record<string, unknown> {
  const control = createRunControl(rowbeat)
  return {
    run: (id: string) => control.read(PROCESS, id),
    async runs(query = '', limit = 20) {
      const filter = await queryFrom(rowbeat, [query], {})
      return (await control.list(PROCESS, { ...filter, limit })).items
    },
    queues: () => createQueueControl(rowbeat).list(PROCESS),
    workers: () => createWorkerControl(toQueryable(rowbeat.db)).list(PROCESS),
  }
}

/** A home that cannot be written to is no reason not to begin. */
function rememberLines(server: REPLServer): void {
  server.setupHistory(join(homedir(), '.rowbeat_history'), (error) => {
    if (error) tell(`What is typed will not be remembered: ${error.message}`)
  })
}
