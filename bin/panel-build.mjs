/**
 * Makes what the panel's pages load: admin/dist/{panel.js,panel.css,login.css,icon.svg} from admin/ui, by esbuild, and the words of each
 * language but English, which is in the script, as <tag>.json. Runs before `npm start`,
 * `npm test` and when the package is packed, and does nothing while no source is newer than what it made; in a
 * folder without sources (an installed package) or without esbuild (`npm ci --omit=dev`) it leaves what is there.
 * Plain Node 18 JavaScript.
 *
 * React, the router and AdminJS's own parts are on the page already, as globals of AdminJS's bundles: they are named, not packed in.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const ui = join(root, 'admin/ui')
const out = join(root, 'admin/dist')
const locale = join(root, 'admin/locale')

/** Package -> the global that is it. */
const GLOBALS = {
  react: 'React',
  'react-dom': 'ReactDOM',
  'react-redux': 'ReactRedux',
  'react-router': 'ReactRouter',
  'react-router-dom': 'ReactRouterDOM',
  redux: 'Redux',
  adminjs: 'AdminJS',
  '@adminjs/design-system': 'AdminJSDesignSystem',
}

export async function build({ isForced = false } = {}) {
  if (!existsSync(ui) || (!isForced && !isStale())) return
  const esbuild = await import('esbuild').catch(() => null)
  if (!esbuild) return
  const options = {
    bundle: true,
    write: false,
    minify: true,
    charset: 'utf8',
    target: ['es2022'],
    legalComments: 'none',
    logLevel: 'warning',
    absWorkingDir: root,
  }
  const styles = readdirSync(join(ui, 'css')).filter((file) => file.endsWith('.css'))
  const imports = ['./panel.css', ...styles.toSorted().map((file) => `./css/${file}`)]
  const [script, style, login] = await Promise.all([
    esbuild.build({
      ...options,
      entryPoints: [join(ui, 'main.tsx')],
      format: 'iife',
      jsx: 'transform',
      jsxFactory: 'React.createElement',
      jsxFragment: 'React.Fragment',
      plugins: [globals],
      define: { 'process.env.NODE_ENV': '"production"' },
      tsconfigRaw: { compilerOptions: { target: 'es2022', jsx: 'react' } },
    }),
    esbuild.build({
      ...options,
      stdin: {
        contents: imports.map((file) => `@import '${file}';`).join('\n'),
        resolveDir: ui,
        loader: 'css',
      },
    }),
    esbuild.build({ ...options, entryPoints: [join(ui, 'login.css')] }),
  ])
  mkdirSync(out, { recursive: true })
  write('panel.js', script.outputFiles[0].contents)
  write('panel.css', style.outputFiles[0].contents)
  write('login.css', login.outputFiles[0].contents)
  write('icon.svg', readFileSync(join(ui, 'icon.svg')))
  for (const name of listWords())
    write(name, JSON.stringify(JSON.parse(readFileSync(join(locale, name), 'utf8'))))
}

/** Who reads it at the same moment gets the one or the other, whole. */
function write(name, contents) {
  const made = join(out, `${name}.${process.pid}`)
  writeFileSync(made, contents)
  renameSync(made, join(out, name))
}

const globals = {
  name: 'globals',
  setup(build) {
    const names = Object.keys(GLOBALS).map((name) => name.replaceAll('/', '\\/'))
    build.onResolve({ filter: new RegExp(`^(?:${names.join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'global',
    }))
    build.onLoad({ filter: /.*/, namespace: 'global' }, ({ path }) => ({
      contents: `module.exports = window.${GLOBALS[path]}`,
      loader: 'js',
    }))
  },
}

/** A source is newer than what was made of it: the pages, their words, and what of src they share. */
function isStale() {
  const names = ['panel.js', 'panel.css', 'login.css', 'icon.svg', ...listWords()]
  const made = names.map((name) => join(out, name))
  if (!made.every((file) => existsSync(file))) return true
  const oldest = Math.min(...made.map((file) => statSync(file).mtimeMs))
  const folders = [ui, locale, join(root, 'src')]
  const sources = [fileURLToPath(import.meta.url), ...folders.flatMap(listFiles)]
  return sources.some((file) => statSync(file).mtimeMs > oldest)
}

function listWords() {
  return readdirSync(locale).filter((name) => name.endsWith('.json'))
}

function listFiles(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? listFiles(path) : [path]
  })
}

const isCommand = process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href
if (isCommand) await build({ isForced: process.argv.includes('--force') })
