/**
 * `npm run build`: dist/ as the package ships it. What stands in src/ comes to lie in dist/ itself, as it always has, and the panel beside it in
 * dist/admin/, with what browsers load of it in dist/admin/dist/. TypeScript can only keep both under one roof, so it compiles
 * into a folder of its own, and what one half says of the other's place is put right on the way from there.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build as buildPanel } from './panel-build.mjs'

const root = fileURLToPath(new URL('../', import.meta.url))
const dist = join(root, 'dist')
const stage = mkdtempSync(join(tmpdir(), 'rowbeat-build-'))

try {
  await buildPanel({ isForced: true })
  compile()
  rmSync(dist, { recursive: true, force: true })
  for (const path of readdirSync(stage, { recursive: true, withFileTypes: true }))
    if (path.isFile()) move(path)
  cpSync(join(root, 'admin/dist'), join(dist, 'admin/dist'), { recursive: true })
} finally {
  rmSync(stage, { recursive: true, force: true })
}

function compile() {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
  const words = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', stage]
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function move({ parentPath, name }) {
  const from = join(parentPath, name)
  const path = from.slice(stage.length + 1).replaceAll('\\', '/')
  const to = join(dist, placeOf(path))
  mkdirSync(dirname(to), { recursive: true })
  const text = readFileSync(from, 'utf8')
  writeFileSync(to, /\.(js|d\.ts)$/.test(name) ? mend(text, path) : text)
}

/** What a file says of another's place, where one of the two is in src and the other is not. */
function mend(text, path) {
  const from = path.startsWith('src/')
  return text.replaceAll(/(["'])(\.\.?\/[^"'\n]+?\.(?:js|ts))\1/g, (whole, quote, said) => {
    const target = posix.join(posix.dirname(path), said)
    if (target.startsWith('src/') === from || !/^(src|admin)\//.test(target)) return whole
    const way = posix.relative(posix.dirname(placeOf(path)), placeOf(target))
    return quote + (way.startsWith('.') ? way : `./${way}`) + quote
  })
}

function placeOf(path) {
  return path.startsWith('src/') ? path.slice('src/'.length) : path
}
