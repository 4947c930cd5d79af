/**
 * Runs before `npm start` and `npm test`: installs what package-lock.json names when it is not all there, so that a
 * fresh clone, and one that was just updated, need no other command. Compares the lock file with the one npm keeps in
 * node_modules, package by package; a touched file or a new timestamp costs nothing. Plain Node 18 JavaScript.
 *
 * Everything npm says goes to stderr: what the command itself prints on stdout stays clean.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const lock = join(tmpdir(), `rowbeat-install-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`)

if (!isInstalled()) {
  await takeLock()
  try {
    if (!isInstalled()) install()
  } finally {
    rmSync(lock, { force: true })
  }
}

function install() {
  process.stderr.write('Installing the packages of package-lock.json (once, about a minute) ...\n')
  npm('ci', '--no-audit', '--no-fund')
  // npm 12, and any npm with ignore-scripts set, may leave the bundled Node unlinked; only an old Node needs it.
  if (!hasNode() && isOldNode()) npm('rebuild', 'node', '--ignore-scripts=false')
}

function npm(...words) {
  const inside = process.env.npm_execpath ?? ''
  const [command, ...first] = /npm-cli\.c?js$/.test(inside) ? [process.execPath, inside] : ['npm']
  const { status, error } = spawnSync(command, [...first, ...words], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  process.stderr.write(
    `npm ${words.join(' ')} failed (${error?.message ?? `exit ${status}`}): see its words above.\n`,
  )
  rmSync(lock, { force: true })
  process.exit(1)
}

/** Whether every package of the lock file is there in its version; those for other platforms may be missing. */
function isInstalled() {
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const found = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  const complete = Object.entries(wanted).every(
    ([path, { version, optional, devOptional, peer }]) =>
      path === '' || found[path]?.version === version || (!found[path] && (optional || devOptional || peer)),
  )
  return complete && (hasNode() || !isOldNode())
}

function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {}
}

function hasNode() {
  return existsSync(join(root, 'node_modules', '.bin', 'node'))
}

function isOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major < 22 || (major === 22 && minor < 18)
}

/** `npm start` and `npm test` may begin together in a fresh clone: one installs, the other waits. */
async function takeLock() {
  for (;;) {
    try {
      return writeFileSync(lock, String(process.pid), { flag: 'wx' })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!isAlive(holder())) rmSync(lock, { force: true })
    else await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** 0, which counts as alive, while it is just being written or removed. */
function holder() {
  return existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}
