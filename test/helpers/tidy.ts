/**
 * The architecture as checks: each rule of ARCHITECTURE.md that a machine can hold is a function here, from a tree of
 * files (path -> text) to findings. They read the parsed source, not lines: a word in a comment or in an error's text
 * is no offence. test/tidy.test.ts proves each on a tree with that one fault, then holds the real tree to all of them.
 */
import ts from 'typescript'

export type Tree = ReadonlyMap<string, string>

export interface Finding {
  readonly rule: string
  /** `path:line` */
  readonly at: string
  readonly words: string
}

/** Low to high: a folder imports itself and what stands before it. `.` are the files directly in src/. */
const FLOOR_NAMES =
  '. tasks flows schedules outbound db results queue auth dispatcher webhooks worker beat ' +
  'control metrics api client admin embedded testing index cli examples'
export const FLOORS = FLOOR_NAMES.split(' ')
const STRANGERS = ['worker|beat', 'worker|api', 'metrics|api']
const PURE = ['tasks', 'flows', 'schedules']
/** Where reading starts: what nobody of us imports, but a user, the command line or a glob does. */
const ENTRANCES = [
  /^src\/(index|drizzle|testing\/testing|client\/client)\.ts$/,
  /^src\/cli\/main\.ts$/,
  /^admin\/(panel\.ts|ui\/main\.tsx)$/,
  /^src\/examples\/(app|mailbox|rowbeat\.config|\w+\/tasks|\w+\/routes)\.ts$/,
]
const COLUMNS = 110
/** Comments, texts and SQL, which the formatter does not wrap. */
const PROSE_COLUMNS = 180
const FILE_LINES = 400
const FUNCTION_LINES = 70

interface Import {
  /** A path of the tree, or the package as written. */
  readonly target: string
  readonly line: number
  /** `import type`, or another process's or thread's file: it does not load this one's modules. */
  readonly isLoose: boolean
}

interface Source {
  readonly path: string
  readonly text: string
  readonly floor: string
  readonly file: ts.SourceFile
  readonly imports: readonly Import[]
}

type Rule = (source: Source) => [line: number, words: string][]

/** Everything wrong with the tree, in the order of its files. */
export function findFaults(tree: Tree): Finding[] {
  const sources = [...tree]
    .filter(([path]) => /^(src|admin)\/.*\.tsx?$/.test(path))
    .map(([path, text]) => parse(path, text))
  const single = sources.flatMap((source) =>
    Object.entries(RULES).flatMap(([rule, check]) =>
      check(source).map(([line, words]) => ({ rule, at: `${source.path}:${line}`, words })),
    ),
  )
  return [...single, ...findCycles(sources), ...findDead(sources)]
}

const RULES: Record<string, Rule> = {
  'upward import': ({ floor, imports }) =>
    imports.flatMap(({ target, line }) => {
      if (!/^(src|admin)\//.test(target) || FLOORS.indexOf(floorOf(target)) <= FLOORS.indexOf(floor))
        return []
      return [[line, `${floor} stands below ${floorOf(target)} and may not import ${target}`]]
    }),
  'unknown floor': ({ floor, path }) => (FLOORS.includes(floor) ? [] : [[1, `${path} is on no floor`]]),
  stranger: ({ floor, imports }) =>
    imports.flatMap(({ target, line }) => {
      const pair = STRANGERS.find((two) => two.split('|').includes(floor) && target.startsWith('src/'))
      const other = floorOf(target)
      const met = STRANGERS.includes(`${floor}|${other}`) || STRANGERS.includes(`${other}|${floor}`)
      return pair && met ? [[line, `${floor} and ${other} do not know each other`]] : []
    }),
  'example reaches inside': ({ floor, imports }) =>
    imports.flatMap(({ target, line }) => {
      const isInside = target.startsWith('src/') && !/^src\/(index\.ts$|examples\/)/.test(target)
      return floor === 'examples' && isInside
        ? [[line, `${target}: use only src/index.ts, as a user would`]]
        : []
    }),
  'input or output below': ({ floor, imports }) =>
    imports.flatMap(({ target, line }) => {
      const isBusy =
        /^(node:(fs|net|http|https|child_process|worker_threads|dgram)|pg$|postgres$|drizzle-orm)/.test(
          target,
        )
      return PURE.includes(floor) && isBusy
        ? [[line, `${floor} does no I/O and may not import ${target}`]]
        : []
    }),
  'graphile-worker': ({ path, imports }) =>
    imports.flatMap(({ target, line }) => {
      const isHome = ['src/db/migrate.ts', 'src/worker/engine.ts'].includes(path)
      return target.startsWith('graphile-worker') && !isHome
        ? [[line, `${path} may not import ${target}`]]
        : []
    }),
  adminjs: ({ floor, imports }) =>
    imports.flatMap(({ target, line }) =>
      /^@?adminjs/.test(target) && floor !== 'admin' ? [[line, 'nothing in src knows AdminJS']] : [],
    ),
  'two sides of the panel': ({ path, floor, imports }) =>
    imports.flatMap(({ target, line }) => {
      if (floor !== 'admin' || isShared(target) || isShared(path)) return []
      return isPage(path) !== isPage(target) && target.startsWith('admin/')
        ? [[line, `${target} runs ${isPage(target) ? 'in browsers' : 'on the server'} only`]]
        : []
    }),
  'raw HTML': (source) =>
    source.floor === 'admin'
      ? matches(
          source.text,
          /\b(dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|style=)/g,
          'text nodes and classes only',
        )
      : [],
  'private table': ({ path, text }) =>
    path.startsWith('src/db/statements/') || path === 'src/worker/facade.ts'
      ? []
      : matches(text, /\b_private_\w*/g, 'only drizzle/ and src/db/statements name it'),
  'process.env': (source) =>
    source.path === 'src/config.ts' || source.floor === 'examples' ? [] : members(source, 'process', /^env$/),
  'process.exit': (source) =>
    source.floor === 'cli' || source.path === 'src/worker/isolate/child.ts'
      ? []
      : members(source, 'process', /^(exit|on|once|addListener|exitCode)$/),
  console: (source) => (isOneOf(source.floor, 'cli', 'examples') ? [] : members(source, 'console', /./)),
  clock: (source) =>
    source.path === 'src/clock.ts' || source.floor === 'examples' || isPage(source.path)
      ? []
      : [...members(source, 'Date', /^now$/), ...news(source, 'Date', 0)],
  'new Error': (source) => (source.path === 'src/errors.ts' ? [] : news(source, 'Error')),
  'SQL outside db': (source) =>
    // A page may show a statement to copy.
    isOneOf(source.floor, 'db', 'examples') || isPage(source.path)
      ? []
      : literals(source)
          .filter(([, text]) => SQL.test(text))
          .map(([line, text]) => [line, firstLine(text)]),
  'module state': (source) => source.file.statements.flatMap((statement) => moduleState(source, statement)),
  'default export': (source) =>
    source.file.statements.flatMap((statement) =>
      ts.isExportAssignment(statement) || hasDefault(statement)
        ? [[lineOf(source, statement), 'name it']]
        : [],
    ),
  enum: (source) =>
    collect(source, (node) => {
      // `declare module 'fastify'` adds to somebody's types and is erased.
      const isSpace = ts.isModuleDeclaration(node) && !ts.isStringLiteral(node.name)
      return ts.isEnumDeclaration(node) || isSpace ? 'not erasable: use a union or a plain module' : null
    }),
  'left undone': ({ text }) => matches(text, /\b(TODO|FIXME|XXX)\b/g, 'do it or drop it'),
  'long line': (source) => {
    const prose = new Set(textLines(source))
    return source.text.split('\n').flatMap((line, index): [number, string][] => {
      const isExcused = /^(import|export) .* from /.test(line) || /https?:\/\//.test(line)
      const isProse = prose.has(index + 1) || /^\s*(\/\/|\/?\*)/.test(line)
      const columns = isProse ? PROSE_COLUMNS : COLUMNS
      return line.length > columns && !isExcused ? [[index + 1, `${line.length} columns`]] : []
    })
  },
  'long file': ({ text }) => {
    const lines = text.split('\n').length - 1
    return lines > FILE_LINES ? [[1, `${lines} lines`]] : []
  },
  'long function': (source) =>
    collect(source, (node) => {
      if (!ts.isFunctionLike(node)) return null
      const lines = ownLines(source, node)
      return lines > FUNCTION_LINES ? `${lines} lines of its own` : null
    }),
  'no opening comment': ({ text }) =>
    /^(#!.*\n)?\/\*\*[\s\S]{20}/.test(text) ? [] : [[1, 'say what this file is about']],
}

const WORDS =
  'select |insert into|update \\S+ set|delete from|with \\S+ as |create |alter |drop |truncate |listen |notify |copy '
const SQL = new RegExp(`^\\s*(/\\*.*?\\*/\\s*)?(${WORDS}|${WORDS.toUpperCase()})`, 's')

/** One finding for each ring of files that need each other to run; types may know each other. */
function findCycles(sources: readonly Source[]): Finding[] {
  const needs = ({ imports }: Source): string[] =>
    imports.filter(({ isLoose }) => !isLoose).map(({ target }) => target)
  const imports = new Map(sources.map((source) => [source.path, needs(source)]))
  const done = new Set<string>()
  const found: Finding[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const ring = trail.indexOf(path)
    if (ring >= 0)
      found.push({ rule: 'cycle', at: `${path}:1`, words: [...trail.slice(ring), path].join(' -> ') })
    if (ring >= 0 || done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  return found
}

/** Files that cannot be reached from any entrance. */
function findDead(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const alive = new Set(
    sources.map(({ path }) => path).filter((path) => ENTRANCES.some((way) => way.test(path))),
  )
  for (const path of alive) for (const { target } of byPath.get(path)?.imports ?? []) alive.add(target)
  const dead = sources.filter(({ path }) => !alive.has(path))
  return dead.map(({ path }) => ({
    rule: 'dead file',
    at: `${path}:1`,
    words: 'nothing that runs imports it',
  }))
}

function parse(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  const source: Source = { path, text, floor: floorOf(path), file, imports: [] }
  return { ...source, imports: importsOf(source) }
}

function importsOf(source: Source): Import[] {
  const loose = new Set(collect(source, (node) => (isLoose(node) ? '' : null)).map(([line]) => line))
  return collect(source, importedBy).map(([line, named]) => {
    const target = named.startsWith('.') ? new URL(named, `file:///${source.path}`).pathname.slice(1) : named
    return { line, target, isLoose: loose.has(line) }
  })
}

function isLoose(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return isLoading(node)
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
  return ts.isExportDeclaration(node) && node.isTypeOnly
}

/** `import`, `export from`, `import()`, `new URL('./x.ts', ...)`: what a file names, it needs. */
function importedBy(node: ts.Node): string | null {
  const isDeclared = ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
  const named = isDeclared ? node.moduleSpecifier : isLoading(node) ? node.arguments?.[0] : undefined
  if (!named) return null
  // A thread's file, whose ending differs between the clone and the built package.
  if (ts.isTemplateExpression(named)) return `${named.head.text}.ts`
  return ts.isStringLiteral(named) ? named.text : null
}

function isLoading(node: ts.Node): node is ts.CallExpression | ts.NewExpression {
  if (ts.isCallExpression(node)) return node.expression.kind === ts.SyntaxKind.ImportKeyword
  return ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.arguments?.length === 2
}

/** What browsers load of the panel. */
function isPage(path: string): boolean {
  return path.startsWith('admin/ui/')
}

function isShared(path: string): boolean {
  return path.startsWith('admin/locale/')
}

function floorOf(path: string): string {
  if (path.startsWith('admin/')) return 'admin'
  const [, first = '', ...rest] = path.split('/')
  if (rest.length > 0) return first
  return first === 'index.ts' || first === 'drizzle.ts' ? 'index' : '.'
}

function members(source: Source, object: string, name: RegExp): [number, string][] {
  return collect(source, (node) => {
    const isMember = ts.isPropertyAccessExpression(node) && node.expression.getText() === object
    return isMember && name.test(node.name.text) ? node.getText() : null
  })
}

/** `new Name(...)`; with `count`, only those with so many arguments. */
function news(source: Source, name: string, count?: number): [number, string][] {
  return collect(source, (node) => {
    if (!ts.isNewExpression(node) || node.expression.getText() !== name) return null
    return count === undefined || (node.arguments?.length ?? 0) === count ? node.getText().slice(0, 60) : null
  })
}

/** Lines that a string or template has a part in. */
function textLines(source: Source): number[] {
  const lines: number[] = []
  collect(source, (node) => {
    const isText =
      ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || ts.isRegularExpressionLiteral(node)
    for (let n = lineOf(source, node); isText && n <= lineOf(source, node, node.end); n++) lines.push(n)
    return null
  })
  return lines
}

/** Lines of a function without those of the functions inside it, each of which is held to the law itself. */
function ownLines(source: Source, node: ts.Node): number {
  const span = (inner: ts.Node): number => lineOf(source, inner, inner.end) - lineOf(source, inner) + 1
  const inside = (outer: ts.Node): number => {
    let lines = 0
    ts.forEachChild(outer, (child) => {
      lines += ts.isFunctionLike(child) ? Math.max(0, span(child) - 1) : inside(child)
    })
    return lines
  }
  return span(node) - inside(node)
}

function literals(source: Source): [number, string][] {
  return collect(source, (node) => {
    if (ts.isStringLiteralLike(node)) return node.text
    return ts.isTemplateExpression(node) ? node.head.text : null
  })
}

/** `let`, or a container made empty, at the top of a module: every importer would share it. */
function moduleState(source: Source, statement: ts.Statement): [number, string][] {
  if (!ts.isVariableStatement(statement)) return []
  const isConst = statement.declarationList.flags & ts.NodeFlags.Const
  return statement.declarationList.declarations.flatMap(({ name, initializer }): [number, string][] => {
    const text = initializer?.getText().replace(/<.*>/s, '') ?? ''
    const isEmpty = /^(new (Map|Set|WeakMap|WeakSet|Array)\(\)|\[\]|\{\})$/.test(text)
    return !isConst || isEmpty ? [[lineOf(source, statement), name.getText()]] : []
  })
}

function hasDefault(statement: ts.Statement): boolean {
  const words = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined
  return words?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) ?? false
}

function collect(
  source: Omit<Source, 'imports'>,
  look: (node: ts.Node) => string | null,
): [number, string][] {
  const found: [number, string][] = []
  const visit = (node: ts.Node): void => {
    const words = look(node)
    if (words !== null) found.push([lineOf(source, node), words])
    ts.forEachChild(node, visit)
  }
  visit(source.file)
  return found
}

function matches(text: string, pattern: RegExp, why: string): [number, string][] {
  return [...text.matchAll(pattern)].map(({ 0: word, index }) => [
    text.slice(0, index).split('\n').length,
    `${word}: ${why}`,
  ])
}

function lineOf({ file }: Pick<Source, 'file'>, node: ts.Node, position = node.getStart(file)): number {
  return file.getLineAndCharacterOfPosition(position).line + 1
}

function isOneOf(value: string, ...allowed: string[]): boolean {
  return allowed.includes(value)
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}
