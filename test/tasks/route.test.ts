/**
 * Routing against what Celery's own router answered (conformance/routing.json; queue and priority only). Its tables
 * are recorded in part: the entries that its answers show and its tables lack stand here, in the place where Celery
 * must have had them.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { ConfigError, EnqueueError } from '../../src/index.ts'
import { createRouter, type Routes } from '../../src/tasks/route.ts'

type Answer = { queue?: string; priority?: number } | null
const recorded = JSON.parse(readFileSync('test/fixtures/conformance/routing.json', 'utf8')) as {
  map_routes_glob: [string, any][]
  map_routes_regex: [string, any][]
  map_route: { kind: 'glob' | 'regex'; name: string; result: any }[]
}
const only = (answer: any): Answer => {
  if (answer === null) return null
  const { queue, priority } = answer
  return { ...(queue && { queue }), ...(priority !== undefined && { priority }) }
}
const none = (): unknown => ({})

/** Where our rule differs: Celery takes a key without `*` for an exact name, so its `a[bc].x` never matched `ac.x`. */
const DIFFERENT: Record<string, Answer> = { 'ac.x': { queue: 'abc' } }

t.test("globs and regular expressions route as Celery's do, but for globs without a star", async (t) => {
  const after = (name: string, ...more: [string, any][]): [string, any][] =>
    recorded.map_routes_glob.flatMap((pair) => (pair[0] === name ? [pair, ...more] : [pair]))
  const globs = after(
    'feed.tasks.import_feed',
    ['feed.tasks.*', 'feedmisc'],
    ['video.*.encode', 'gpu'],
  ).concat([['a[bc].*', 'abcstar']])
  const routers = {
    glob: createRouter(globs),
    regex: createRouter(
      recorded.map_routes_regex.map(([source, route]) => [new RegExp(source), route] as [RegExp, any]),
    ),
  }
  for (const { kind, name, result } of recorded.map_route) {
    const expected = kind === 'glob' && name in DIFFERENT ? DIFFERENT[name] : only(result)
    t.same(routers[kind].route(name, none, {}), expected, `${kind} ${JSON.stringify(name)}`)
  }
  t.ok(recorded.map_route.length >= 29)
})

t.test('a glob is as in a shell, of the whole name, and its case counts', async (t) => {
  const cases: [glob: string, matches: string[], differs: string[]][] = [
    ['img?.resize', ['img1.resize', 'img..resize'], ['img.resize', 'imgs10.resize', 'IMG1.resize']],
    ['*', ['', 'a', 'a.b.c', 'a\nb'], []],
    ['a[bc].x', ['ab.x', 'ac.x'], ['ad.x', 'a.x', 'abc.x']],
    ['a[!bc]', ['ad', 'a!'], ['ab', 'ac', 'a']],
    ['v[0-3]*', ['v0', 'v3.x'], ['v4', 'v']],
    ['[]a]', [']', 'a'], ['[', 'b']],
    ['[!]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[z-a]', [], ['z', 'a', 'm', '']],
    ['[!z-a]', ['z', 'q'], ['']],
    ['[^a]', ['^', 'a'], ['b']],
    ['[\\]', ['\\'], ['a']],
    ['a[b', ['a[b'], ['ab']],
    ['a.b*', ['a.b', 'a.bc'], ['axb']],
    ['(a|b)+$*', ['(a|b)+$', '(a|b)+$x'], ['a', 'ab']],
  ]
  for (const [glob, matches, differs] of cases) {
    const { route } = createRouter({ [glob]: 'high' })
    for (const name of matches) t.same(route(name, none, {}), { queue: 'high' }, `${glob} ${name}`)
    for (const name of differs) t.equal(route(name, none, {}), null, `${glob} not ${name}`)
  }
})

t.test(
  'a regular expression is held against the start, whatever its flags, as often as one likes',
  async (t) => {
    const { route } = createRouter([
      [/MAIL\./gi, 'mail'],
      [/b|c/y, { queue: 'bc', priority: -3 }],
    ])
    for (let i = 0; i < 3; i++) {
      t.same(route('mail.send', none, {}), { queue: 'mail' })
      t.equal(route('x.mail.send', none, {}), null)
      t.same(route('car', none, {}), { queue: 'bc', priority: -3 })
      t.equal(route('ac', none, {}), null)
    }
  },
)

t.test('exact names come before patterns, patterns in their order, of a record and of a list', async (t) => {
  for (const routes of [
    { 'web.*': 'web', '*.slow': 'slow', 'web.slow': 'exact' },
    [
      ['web.*', 'web'],
      [/.*\.slow$/, 'slow'],
      ['web.slow', 'exact'],
    ],
  ] satisfies Routes[]) {
    const { route } = createRouter(routes as Routes)
    t.same(route('web.slow', none, {}), { queue: 'exact' })
    t.same(route('web.fast', none, {}), { queue: 'web' })
    t.same(route('app.slow', none, {}), { queue: 'slow' })
  }
})

t.test(
  'of several routers the first that answers wins; a function is asked with name, input and options',
  async (t) => {
    const asked: unknown[] = []
    const { route, routeName } = createRouter([
      (task, input, options) => {
        asked.push([task, input, options])
        return input.big ? { queue: 'slow', priority: 5 } : input.odd ? undefined : null
      },
      { 'a.*': 'high' },
      [[/a|b/, { priority: 9 }]],
      () => 'last',
    ])
    t.same(
      route('a.x', () => ({ big: true }), { tags: ['t'] }),
      { queue: 'slow', priority: 5 },
    )
    t.same(
      route('a.x', () => ({ odd: true }), {}),
      { queue: 'high' },
    )
    t.same(route('b.x', none, {}), { priority: 9 }, 'a route may say the priority alone')
    t.same(route('c.x', none, {}), { queue: 'last' })
    t.same(asked[0], ['a.x', { big: true }, { tags: ['t'] }])
    t.same(routeName('a.x'), { queue: 'high' }, 'without functions')
    t.equal(routeName('c.x'), null)
  },
)

t.test('an input is made for functions only', async (t) => {
  const { route } = createRouter({ '*': 'high' })
  t.same(
    route('a', () => t.fail('asked for the input'), {}),
    { queue: 'high' },
  )
})

t.test('what is no route is refused when the router is made, in words that name it', async (t) => {
  const cases: [unknown, RegExp][] = [
    [{ 'a.*': 'Not A Queue' }, /a\.\* names the queue "Not A Queue".*must match/],
    [{ a: { queue: 'high', exchange: 'x' } }, /has "exchange", which is no part of a route/],
    [{ a: { priority: 1.5 } }, /priority that must be a whole number/],
    [{ a: null }, /is no route/],
    [[['a', 'high'], () => null], /either \[pattern, route\] pairs or routers/],
    ['high', /a router is a record/],
    [/a/, /a router is a record/],
    [[[['a', ['x']]]], /a router is a record/],
  ]
  for (const [routes, words] of cases) {
    t.throws(() => createRouter(routes as Routes), { constructor: ConfigError, message: words })
  }
})

t.test('a function that throws or answers no route refuses the run', async (t) => {
  const bad: [() => any, RegExp][] = [
    [() => 'NOT OK', /answered for a names the queue/],
    [async () => 'high', /is no route/],
    [
      () => {
        throw new TypeError('of mine')
      },
      /threw for a: of mine/,
    ],
  ]
  for (const [router, words] of bad) {
    t.throws(() => createRouter(router).route('a', none, {}), {
      constructor: EnqueueError,
      code: 'RB_OPTION_INVALID',
      message: words,
      faults: [{ pointer: '/queue' }],
    })
  }
})
