/**
 * The code in the documentation is right: its TypeScript compiles, a page being one module from top to bottom, and its
 * SQL runs. What two pages promise about rights, of a role and of a key, is tried with their own statements.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { createKeyring } from '../../src/auth/keyring.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'
import { blocksOf, listPages, readPage } from './page.ts'

const pages = listPages().map((path) => ({ path, blocks: blocksOf(readPage(path)) }))
const textIn = (path: string, language: string): string =>
  pages
    .find((page) => page.path === path)!
    .blocks.filter((block) => block.language === language)
    .map((block) => block.text)
    .join('\n')

/** What a page may import beside packages: tasks of its reader's. */
const TASKS = `import { task } from 'rowbeat'\nexport const add = task('demo.add', {}, ({ x }: { x: number }) => x)\n`

t.test('the TypeScript of every page compiles', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-docs-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  mkdirSync(join(folder, 'src'))
  writeFileSync(join(folder, 'src/tasks.ts'), TASKS)
  const files = new Map<string, string>()
  for (const { path } of pages) {
    const text = textIn(path, 'ts')
    if (text === '') continue
    const file = join(folder, path.replaceAll('/', '-').replace(/\.md$/, '.ts'))
    writeFileSync(file, `${text}\nexport {}\n`)
    files.set(file, path)
  }
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
  const program = ts.createProgram([...files.keys()], {
    ...options,
    noUnusedLocals: false,
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths: {
      rowbeat: [join(ROOT, 'src/index.ts')],
      'rowbeat/fastify': [join(ROOT, 'src/api/plugin.ts')],
      'rowbeat/drizzle': [join(ROOT, 'src/drizzle.ts')],
      'rowbeat/admin': [join(ROOT, 'admin/panel.ts')],
      'rowbeat/client': [join(ROOT, 'src/client/client.ts')],
      'rowbeat/testing': [join(ROOT, 'src/testing/testing.ts')],
    },
  })
  for (const [file, path] of files) {
    const faults = ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(({ messageText, start }) => {
        const line = program.getSourceFile(file)!.text.slice(start).split('\n', 1)[0]
        return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      })
    t.strictSame(faults, [], path)
  }
  t.ok(files.size > 8)
})

t.test('the SQL of every page runs', async (t) => {
  const { admin } = await setup(t)
  for (const { path } of pages) {
    const text = textIn(path, 'sql')
    if (text === '') continue
    const undo = new Error('undone')
    const run = admin.begin(async (tx) => {
      await tx.unsafe(text).simple()
      throw undo
    })
    await t.rejects(run, undo, path)
  }
})

t.test('the role of the page on deployment may do what it says, and no more', async (t) => {
  const { url, admin } = await setup(t)
  const role = `shop_${process.pid}`
  const blocks = pages.find(({ path }) => path === 'docs/howto/deploy.md')!.blocks
  const [least, client, reader] = blocks
    .filter(({ language, text }) => language === 'sql' && /^(create role|grant)/.test(text))
    .map(({ text }) => text.replaceAll('shop_app', role))
  await admin.unsafe(`${least}; alter role ${role} login password 'shop'`).simple()
  const own = new URL(url)
  own.username = role
  own.password = 'shop'
  const rowbeat = createRowbeat({ databaseUrl: own.href, connections: 1 })
  const shop = createRowbeat({ databaseUrl: own.href, connections: 1 })
  t.teardown(async () => {
    await rowbeat.close()
    await shop.close()
    await admin.unsafe(`drop owned by ${role}; drop role ${role}`).simple()
  })
  const asked = async (text: string) =>
    await admin.begin(async (tx) => {
      await tx.unsafe(`set local role ${role}`)
      return await tx.unsafe(text)
    })
  const [{ id }] = (await asked(`select rowbeat.enqueue('test.one')::text as id`)) as unknown as [
    { id: string },
  ]
  t.ok(id)
  await asked(`select * from rowbeat.enqueue_many('[{"task": "test.one"}]')`)
  for (const place of [
    'rowbeat.runs',
    'rowbeat.results',
    'rowbeat.parked',
    'rowbeat.api_keys',
    'rowbeat_queue._private_jobs',
  ])
    await t.rejects(asked(`select from ${place}`), { code: '42501' }, place)
  await t.rejects(asked(`insert into rowbeat.results select * from rowbeat.results`), { code: '42501' })
  await t.rejects(rowbeat.enqueue('test.one'), { code: '42501' })

  await admin.unsafe(client!)
  const handle = await rowbeat.enqueue('test.one')
  await t.rejects(handle.state(), { code: '42501' })
  await admin.unsafe(reader!).simple()
  t.equal(await shop.run(null, handle.id).state(), 'PENDING')
})

t.test('the key that the page on the API makes opens it', async (t) => {
  const { sql, db } = await setup(t)
  const [{ key }] = (await sql.unsafe(textIn('docs/howto/mount-the-api.md', 'sql'))) as unknown as [
    { key: string },
  ]
  t.match(await createKeyring(db).identify(key), { name: 'reporting', scopes: ['runs:read', 'runs:write'] })
})
