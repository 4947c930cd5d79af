/** `rowbeat completion` as bash uses it, and `rowbeat shell` given a script. */
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { plainEnvironment, ROOT } from '../helpers/process.ts'
import { DEMO, folder, startRowbeat } from './command.ts'
import { here } from './here.ts'

const { url, sql } = await setup(t)
const cwd = folder(t)
const env = { DATABASE_URL: url }

/** What bash would offer for each of these lines, the last word being the one that is typed. */
function offered(script: string, lines: readonly (readonly string[])[]): string[] {
  // A rowbeat on the PATH, for the names that the database knows.
  const file = join(cwd, 'rowbeat')
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${ROOT}bin/rowbeat.js' "$@"\n`)
  chmodSync(file, 0o755)
  const asked = lines.map((words) => `offer ${words.map((word) => `'${word}'`).join(' ')}`)
  const program = `${script}
offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rowbeat; echo "\${COMPREPLY[*]}"; }
${asked.join('\n')}`
  const environment = { ...plainEnvironment(), ...env, PATH: `${cwd}:${process.env.PATH}` }
  return execFileSync('bash', ['--norc', '-c', program], { env: environment, encoding: 'utf8', cwd })
    .trimEnd()
    .split('\n')
}

t.test('bash completes commands, flags, words, and names that the database knows', async (t) => {
  await sql`insert into rowbeat.tasks (name) values ('shop.add'), ('shop.mul'), ('mail.send')`
  const { code, stdout } = await here(['completion', 'bash'], { env, cwd })
  t.equal(code, 0)
  const cases: [words: string[], offer: string][] = [
    [['rowbeat', 'work'], 'worker workers'],
    [['rowbeat', 'runs', ''], 'show logs watch failures export'],
    [['rowbeat', 'runs', '--json', 'sh'], 'show'],
    [['rowbeat', 'runs', '--sta'], '--state'],
    [['rowbeat', 'runs', '--state', 'F'], 'FAILURE'],
    [['rowbeat', 'runs', '--queue', 'high', 'ex'], 'export'],
    [['rowbeat', 'queues', 'pause', '--re'], '--reason'],
    [['rowbeat', 'keys', 'create', 'ci', '--scope', 'runs:'], 'runs:read runs:write'],
    [['rowbeat', 'users', 'create', 'a@b.cd', '--role', 'v'], 'viewer'],
    [['rowbeat', 'inspect', 'act'], 'active active_queues'],
    [['rowbeat', 'completion', 'z'], 'zsh'],
    [['rowbeat', 'call', 'shop.'], 'shop.add shop.mul'],
    [['rowbeat', 'purge', 'default', 'h'], 'high'],
  ]
  t.strictSame(
    offered(
      stdout,
      cases.map(([words]) => words),
    ),
    cases.map(([, offer]) => offer),
  )
})

t.test('names that cannot be had are none, at once and without a word', async (t) => {
  const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' }
  t.strictSame(await here(['completion', 'tasks'], { env: away, cwd }), { code: 0, stdout: '', stderr: '' })
  t.strictSame(await here(['completion', 'tasks'], { cwd }), { code: 0, stdout: '', stderr: '' })
})

t.test('zsh and fish get scripts that name every command; another shell is refused', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const { stdout } = await here(['completion', shell], { cwd })
    for (const word of ['worker', 'runs', 'doctor', 'backfill'])
      t.match(stdout, `'${word}`, `${shell}: ${word}`)
  }
  t.match(await here(['completion', 'ksh'], { cwd }), { code: 2, stderr: /"ksh" is no shell known here/ })
})

t.test('shell runs a script with the project at hand, and one that throws exits 1', async (t) => {
  const run = async (script: string): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const more = { env: { ...env, ROWBEAT_TASKS: join(ROOT, DEMO) }, cwd, stdin: 'pipe' as const }
    const child = startRowbeat(t, ['shell'], more)
    child.write(script)
    child.endInput()
    const { code } = await child.ended(30_000)
    return { code, stdout: child.stdout(), stderr: child.stderr() }
  }
  const told =
    await run(`const handle = await rowbeat.enqueue(tasks['demo.add'], { x: 1, y: 2 }, { delay: '1h' })
const [{ n }] = await sql\`select count(*)::int as n from rowbeat.parked\`
console.log(n, (await run(handle.id)).state, (await runs('task:demo.add')).length, (await queues()).length)`)
  t.match(told, { code: 0, stdout: '1 SCHEDULED 1 2\n' })
  t.match(await run(`await rowbeat.enqueue(tasks['demo.add'], { x: 'no' })`), {
    code: 1,
    stderr: /input of demo\.add is refused: \/input\/x/,
  })
  t.match(await run('const ='), { code: 1, stderr: /SyntaxError/ })
})
