/** `rowbeat keys` and `rowbeat users`: what is told once, what is refused, and that no password is ever an argument. */
import t from 'tap'
import { isPassword } from '../../src/auth/password.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { setup } from '../helpers/bundle.ts'
import { folder, startRowbeat, type Said } from './command.ts'
import { here } from './here.ts'

const { url, sql } = await setup(t)
const env = { DATABASE_URL: url }
const cwd = folder(t)
const ask = (...words: string[]): Promise<Said> => here(words, { env, cwd })
const document = ({ stdout }: Said): any => JSON.parse(stdout)

t.test('a key is printed once, listed by its beginning, and refused after it was revoked', async (t) => {
  t.match(await ask('keys'), { code: 0, stdout: '', stderr: 'There are no keys.\n' })
  const made = await ask('keys', 'create', 'ci', '--scope', 'runs:read,runs:write', '--expires', '30 days')
  t.match(made, { code: 0, stdout: /^rb_[\w-]{43}\n$/, stderr: /is not shown again/ })
  const second = document(await ask('keys', 'create', 'all', '--scope', '*', '--json'))
  t.match(second, { name: 'all', scopes: ['*'], expires_at: null, key: /^rb_/ })

  const list = await ask('keys', 'list')
  t.notMatch(list.stdout, made.stdout.trim())
  t.match(list.stdout, new RegExp(`${made.stdout.slice(0, 9)}… +ci +runs:read,runs:write +- +\\d{4}-.* live`))
  t.match(await ask('keys', 'revoke', second.id), { code: 0, stdout: '', stderr: /"all"\) is revoked/ })
  const [row] = await sql`select revoked_at from rowbeat.api_keys where id = ${second.id}`
  t.ok(row!.revoked_at)
  const page = document(await ask('keys', '--limit', '1', '--json'))
  t.equal(page.items.length, 1)
  t.equal(document(await ask('keys', '--before', page.next, '--json')).next, null)
})

t.test('what is no key, no scope and no time is refused in words of the command line', async (t) => {
  t.match(await ask('keys', 'create', 'x'), { code: 2, stderr: /required option '--scope/ })
  t.match(await ask('keys', 'create', 'x', '--scope', 'everything'), {
    code: 2,
    stderr: /^rowbeat: --scope has "everything", which is no scope; give some of \*, runs:read/,
  })
  t.match(await ask('keys', 'create', 'x', '--scope', '*', '--expires', 'soon'), {
    code: 2,
    stderr: /^rowbeat: --expires /,
  })
  t.match(await ask('keys', 'create', 'x', '--scope', '*', '--expires', '2020-01-01T00:00:00Z'), {
    code: 2,
    stderr: /--expires is past/,
  })
  t.match(await ask('keys', 'revoke', 'abc'), { code: 1, stderr: /No API key has the id abc/ })
  t.equal((await sql`select 1 from rowbeat.api_keys where name = 'x'`).length, 0)
})

t.test('people are made, changed and removed by their address', async (t) => {
  const made = await ask('users', 'create', 'Taras@Example.net', '--role', 'admin')
  t.match(made, { code: 0, stdout: /^[\w-]{24}\n$/, stderr: /taras@example.net may sign in as admin/ })
  const hashOf = async (): Promise<string> => {
    const [row] = await sql`select password_hash from rowbeat.users where email = 'taras@example.net'`
    return row!.password_hash as string
  }
  t.ok(await isPassword(made.stdout.trim(), await hashOf()))
  t.match(await ask('users', 'create', 'lesya@example.net', '--role', 'viewer', '--json'), { code: 0 })
  t.match(await ask('users', 'create', 'lesya@example.net', '--role', 'viewer'), {
    code: 1,
    stderr: /has an account already/,
  })
  t.match(await ask('users', 'edit', 'lesya@example.net', '--role', 'operator'), {
    code: 0,
    stderr: 'lesya@example.net is operator now.\n',
  })
  t.match(await ask('users', 'disable', 'lesya@example.net'), { code: 0, stderr: /cannot sign in any more/ })
  t.match((await ask('users')).stdout, /lesya@example\.net +operator +disabled \d{4}-/)
  t.match(await ask('users', 'enable', 'lesya@example.net'), { code: 0 })
  t.match(await ask('users', 'disable', 'taras@example.net'), { code: 1, stderr: /The last admin/ })
  t.match(await ask('users', 'delete', 'lesya@example.net'), { code: 2, stderr: /give --yes/ })
  t.match(await ask('users', 'delete', 'lesya@example.net', '-y'), { code: 0 })
  t.match(await ask('users', 'disable', 'lesya@example.net'), { code: 1, stderr: /Nobody has/ })
  t.match(await ask('users', 'edit', 'taras@example.net', '--role', 'king'), {
    code: 2,
    stderr: /--role must/,
  })

  const generated = document(await ask('users', 'password', 'taras@example.net', '--generate', '--json'))
  t.ok(await isPassword(generated.password, await hashOf()))
})

t.test('a chosen password is a line of stdin, and a weak one is refused', async (t) => {
  const say = async (line: string): Promise<{ code: number | null; output: string }> => {
    const words = ['users', 'password', 'taras@example.net']
    const child = startRowbeat(t, words, { env, cwd, stdin: 'pipe' })
    child.write(line)
    return { code: (await child.ended(30_000)).code, output: child.output() }
  }
  t.match(await say('the wide dnipro roars\nand more\n'), { code: 0, output: /has a new password/ })
  const [row] = await sql`select password_hash from rowbeat.users where email = 'taras@example.net'`
  t.ok(await isPassword('the wide dnipro roars', row!.password_hash))
  t.match(await say('short\n'), { code: 2, output: /The password must have 12 to 256 characters/ })
})

t.test('no command takes a password as an argument or the value of a flag', async (t) => {
  const users = buildProgram(() => {}).commands.find((one) => one.name() === 'users')!
  for (const command of users.commands) {
    const takers = command.options.filter(({ required, optional }) => required || optional)
    t.notMatch(takers.map(({ flags }) => flags).join(), /password/, command.name())
    t.notMatch(command.registeredArguments.map((one) => one.name()).join(), /password/, command.name())
  }
})
