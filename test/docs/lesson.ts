/**
 * A lesson of docs/tutorial, done as a reader does it: every block of code in order, in one shell, against one `npm start`.
 *
 *   sh           typed into a terminal. `npm start` is the process tree of the test; a worker or the mailbox is left running.
 *   postgresql   asked in psql, whose table is the answer; by a client of ours, because psql need not be installed.
 *   typescript   a piece of the source that the lesson shows: it is there, in src/examples.
 *   log          what one of the terminals that run says by itself.
 *   (none), json the answer to the block above: `…` is anything in its line, a line of `…` any lines; blanks do not count.
 *
 * `<name>` in a command is the latest answer's value of that name: a key of JSON, a column, or `id` for a bare id. A look that does not
 * change anything is repeated until its answer is right, as a reader would.
 */
import { spawn } from 'node:child_process'
import { chmodSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import type { Sql } from 'postgres'
import type { Test } from 'tap'
import { plainEnvironment, ROOT, startProcess, type Process } from '../helpers/process.ts'
import { until, within } from '../helpers/wait.ts'
import { blocksOf, readPage, type Block } from './page.ts'

export interface Classroom {
  /** Does every block of the page; throws at the first that does not go as it says. Answers how many there were. */
  follow(page: string): Promise<number>
}

const URL_OF_LESSONS = 'http://127.0.0.1:4000'
const MAIL_PORT = '2525'
const LOOKS =
  /^(npx rowbeat (runs|result|status|inspect|schedules (list|show|firings)|queues list)|curl -sS http)\b/
const ACTS = / (-d|-F|-X|--data|--form|--request)\b/
const PATIENT = { timeout: 20_000, every: 100 }
const ANY = '…'

/** `databaseUrl` is a migrated database of the classroom's own, and `sql` a client of it. */
export async function openClassroom(
  t: Test,
  { databaseUrl, sql, folder }: { databaseUrl: string; sql: Sql; folder: string },
): Promise<Classroom> {
  const dataDir = join(folder, 'data')
  const env = { ROWBEAT_DATA_DIR: dataDir, PATH: `${makeTools(folder)}${delimiter}${process.env.PATH}` }
  const shell = openShell(t, env)
  const mailPort = String(await freePort())
  const terminals: Process[] = []
  let tree: { process: Process; url: string; block: string } | null = null
  const known: Record<string, string> = {}

  const toReal = (text: string): string =>
    text
      .replaceAll(URL_OF_LESSONS, tree?.url ?? URL_OF_LESSONS)
      .replaceAll(MAIL_PORT, mailPort)
      .replaceAll('/tmp/', `${folder}/`)
      .replace(/<([a-z_]+)>/g, (_, name: string) => known[name] ?? fail(`nothing was called ${name} before`))
  const toLesson = (text: string): string =>
    text.replaceAll(tree?.url ?? URL_OF_LESSONS, URL_OF_LESSONS).replaceAll(mailPort, MAIL_PORT)

  const start = async (words: string): Promise<string> => {
    const given = Object.fromEntries(
      [...toReal(words).matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]),
    )
    if (tree && Object.keys(given).length === 0) return tree.block
    await stop()
    const own = { DATABASE_URL: databaseUrl, PORT: '0', ...env, ...given }
    const started = startProcess(t, 'bin/rowbeat.js', { args: ['start'], env: own })
    const [, url] = await started.line(/^Rowbeat is ready at (\S+)$/, 60_000)
    tree = { process: started, url: url!, block: '' }
    tree.block = toLesson(started.stdout())
    terminals.push(started)
    t.teardown(stop)
    return tree.block
  }

  const stop = async (): Promise<void> => {
    tree?.process.kill('SIGTERM')
    await tree?.process.ended(30_000)
    tree = null
  }

  const leaveRunning = (words: string): Process => {
    const [script, ...args] = toReal(words).replace(/^npx (rowbeat|node) /, (_, program) =>
      program === 'rowbeat' ? 'bin/rowbeat.js ' : '',
    ).split(' ') // prettier-ignore
    const terminal = startProcess(t, script!, { args, env })
    terminals.push(terminal)
    return terminal
  }

  const answer = async (block: Block): Promise<() => string | Promise<string>> => {
    const words = block.text.trim()
    if (block.language === 'postgresql') return async () => toLesson(await ask(sql, toReal(words), known))
    if (/^(\w+=\S+ )*npm start$/.test(words)) {
      const said = await start(words)
      return () => said
    }
    if (/^npx (rowbeat (worker|beat|api)|node src\/\S+)( \S+)*$/.test(words)) {
      const terminal = leaveRunning(words)
      return () => toLesson(terminal.output())
    }
    const commands = words.split('\n').filter((line) => !line.startsWith(' ') && line !== '')
    const isLook = commands.every((line) => LOOKS.test(line)) && !ACTS.test(words)
    const type = async (): Promise<string> => toLesson(await shell.type(toReal(words)))
    if (isLook) return type
    const said = await type()
    return () => said
  }

  return {
    async follow(page) {
      const blocks = blocksOf(readPage(page))
      for (const [n, block] of blocks.entries()) {
        const where = `${page}:${block.line}`
        if (block.language === 'typescript') requireSource(block.text, where)
        if (block.language === 'log') await expect(where, block.text, () => toLesson(terminals.map((one) => one.output()).join('\n')), true) // prettier-ignore
        if (block.language !== 'sh' && block.language !== 'postgresql') continue
        const next = blocks[n + 1]
        if (next?.language !== '' && next?.language !== 'json') fail(`${where} has no answer`)
        await expect(where, next.text, await answer(block).catch((cause) => fail(where, cause)), false, known)
      }
      return blocks.length
    },
  }
}

/** Looks until what was said is what is expected; `isPart`: somewhere in it. */
async function expect(
  where: string,
  text: string,
  look: () => string | Promise<string>,
  isPart: boolean,
  known: Record<string, string> = {},
): Promise<void> {
  const pattern = patternOf(text, isPart)
  let said = ''
  await until(
    `${where} is answered`,
    async () => {
      said = await look()
      return pattern.test(`${plain(said)}\n`)
    },
    PATIENT,
  ).catch((cause) => fail(`${where} promises\n${text}\nand what came is\n${said}`, cause))
  learn(said, known)
}

/** Lines that say something, single blanks, none of psql's rules. */
function plain(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/\s+/g, ' ').trim())
  return lines.filter((line) => line !== '' && !/^(-+\+?)+$|^\(\d+ rows?\)$/.test(line)).join('\n')
}

function patternOf(text: string, isPart: boolean): RegExp {
  const lines = plain(text).split('\n').map((line) => {
    if (line === ANY) return '(.*\n)*?'
    return `${line.split(ANY).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}\n`
  }) // prettier-ignore
  return isPart ? new RegExp(`^${lines.join('')}`, 'm') : new RegExp(`^${lines.join('')}$`)
}

function learn(said: string, known: Record<string, string>): void {
  for (const [, name, text, number] of said.matchAll(/"(\w+)":\s*(?:"([^"]*)"|(\d+))/g))
    known[name!] = text ?? number!
  const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/m.exec(said)
  if (id) known.id = id[0]
}

/** As psql shows it, near enough. */
async function ask(sql: Sql, text: string, known: Record<string, string>): Promise<string> {
  const rows = await sql.begin(async (tx) => {
    await tx`set local time zone 'UTC'`
    return await tx.unsafe(text).simple()
  })
  const last = (Array.isArray(rows[0]) ? rows.at(-1) : rows) as unknown as Record<string, unknown>[]
  const [first] = last
  if (!first) return '(0 rows)'
  for (const [name, value] of Object.entries(first)) known[name] = String(value)
  const show = (value: unknown): string => {
    if (typeof value === 'boolean') return value ? 't' : 'f'
    if (value instanceof Date) return value.toISOString()
    return value === null ? '' : typeof value === 'object' ? spaced(value) : String(value)
  }
  return [Object.keys(first), ...last.map((row) => Object.values(row).map(show))]
    .map((row) => row.join(' | '))
    .join('\n')
}

/** JSON as jsonb is written. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, one]) => `"${key}": ${spaced(one)}`)
    .join(', ')}}`
}

function requireSource(text: string, where: string): void {
  const tight = (code: string): string => code.replace(/\s+/g, ' ').trim()
  const files = globSync('src/examples/**/*.ts', { cwd: ROOT })
  if (!files.some((file) => tight(readFileSync(join(ROOT, file), 'utf8')).includes(tight(text))))
    fail(`${where} shows code that is nowhere in src/examples`)
}

/** One shell for all that is typed, so that a variable stays set. */
function openShell(t: Test, env: Record<string, string>): { type(text: string): Promise<string> } {
  const shell = spawn('sh', {
    cwd: ROOT,
    env: { ...plainEnvironment(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => void (said += text))
  const over = new Promise((resolve) => shell.once('close', resolve))
  t.teardown(async () => {
    shell.stdin.end()
    shell.kill('SIGKILL')
    await over
  })
  return {
    async type(text) {
      said = ''
      shell.stdin.write(`{ ${text}\n} 2>&1 </dev/null; printf '\\n@@%s@@\\n' $?\n`)
      const [, answer, code] = await within(text, until(text, () => /^([\s\S]*)\n@@(\d+)@@\n$/.exec(said), { timeout: 60_000, every: 10 }), 61_000) // prettier-ignore
      if (code !== '0') fail(`${text}\nended with exit code ${code} and said\n${answer}`)
      return answer!
    },
  }
}

/** `npx` that needs neither npm nor half a second. */
function makeTools(folder: string): string {
  const tools = join(folder, 'tools')
  mkdirSync(tools, { recursive: true })
  const node = JSON.stringify(process.execPath)
  writeFileSync(
    join(tools, 'npx'),
    `#!/bin/sh\nprogram=$1; shift\ncase $program in\n  rowbeat) exec ${node} ${join(ROOT, 'bin/rowbeat.js')} "$@" ;;\n  node) exec ${node} "$@" ;;\nesac\nexit 127\n`,
  )
  chmodSync(join(tools, 'npx'), 0o755)
  return tools
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function fail(words: string, cause?: unknown): never {
  throw new Error(words, { cause })
}
