/** `rowbeat webhooks …` as people run it: what it prints, and how it exits. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { rowbeat, type Said } from './command.ts'

const { url, sql } = await setup(t)
const ask = (...words: string[]): Promise<Said> =>
  rowbeat(t, ['webhooks', ...words], { env: { DATABASE_URL: url } })

t.test('added, listed, tested, rotated, disabled and removed', async (t) => {
  const added = await ask(
    'add',
    'billing',
    'https://billing.example.com/',
    '--event',
    'run.failed',
    '--task',
    'orders.*',
  )
  t.match(added, { code: 0, stdout: /^whsec_\S+\n$/, stderr: /shown this once/ })
  const list = await ask()
  t.match(list.stdout, /^billing +enabled +run\.failed +orders\.\* +https:\/\/billing\.example\.com\/$/m)
  t.match(JSON.parse((await ask('list', '--json')).stdout), {
    items: [{ name: 'billing', secrets: 1 }],
    next: null,
  })
  const tested = await ask('test', 'billing')
  t.match(await sql`select task from rowbeat.runs where id = ${tested.stdout.trim()}`, [
    { task: 'rowbeat.webhook' },
  ])
  const rotated = JSON.parse((await ask('rotate', 'billing', '--keep', '1h', '--json')).stdout)
  t.match(rotated, { secrets: 2, secret: /^whsec_/ })
  t.match(await ask('disable', 'billing'), { code: 0, stderr: 'billing is disabled.\n' })
  t.match(await ask('remove', 'billing'), { code: 2, stderr: /give --yes/ })
  t.match(await ask('remove', rotated.id, '--yes'), { code: 0, stderr: 'billing is removed.\n' })
})

t.test('what is refused, and what is not there', async (t) => {
  t.match(await ask('add', 'inside', 'http://10.0.0.1/'), {
    code: 2,
    stderr: /\/url goes to 10\.0\.0\.1, a private address/,
  })
  t.match(await ask('test', 'nobody'), { code: 1, stderr: /no webhook named "nobody"/ })
})
