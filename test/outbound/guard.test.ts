/**
 * What a run may call: 56 addresses that lead somewhere else than to the public internet, each refused before a byte is
 * sent. Listeners on both loopbacks count whoever comes.
 */
import { lookup } from 'node:dns/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { callUrl, type Call, type Resolve } from '../../src/outbound/call.ts'
import { explainAddress } from '../../src/outbound/address.ts'
import { readPolicy, type OutboundOptions } from '../../src/outbound/policy.ts'

interface Listening {
  port: number
  connections: number
  requests: { url: string; headers: Record<string, unknown> }[]
}

async function listen(
  owner: { teardown(handler: () => unknown): unknown },
  host: string,
): Promise<Listening> {
  const heard: Listening = { port: 0, connections: 0, requests: [] }
  const server: Server = createServer((request, response) => {
    heard.requests.push({ url: request.url!, headers: request.headers })
    if (request.url === '/redirect')
      response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end()
    else if (request.url === '/long') response.end('x'.repeat(100_000))
    else if (request.url === '/slow') response.write('a')
    else response.end('hello')
  })
  server.on('connection', () => heard.connections++)
  server.listen(0, host)
  await new Promise((resolve) => server.once('listening', resolve))
  owner.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  heard.port = (server.address() as AddressInfo).port
  return heard
}

const call = (url: string, options: OutboundOptions = {}, resolve?: Resolve, more: Partial<Call> = {}) =>
  callUrl(
    {
      url,
      method: 'GET',
      headers: {},
      body: null,
      timeoutMs: 5000,
      bytesMax: 1000,
      signal: new AbortController().signal,
      ...more,
    },
    readPolicy(options),
    resolve,
  )

const REFUSED = { code: 'RB_OUTBOUND_REFUSED', name: 'OutboundError' }
const v4 = await listen(t, '127.0.0.1')
const v6 = await listen(t, '::1')
/** Plain http is taken, so that it is the address and nothing else that is refused. */
const plain = { httpsOnly: false }

const HOSTS = [
  [
    'this machine',
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '0',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    '127.0.0.1.',
  ],
  [
    'the same in other numbers',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '0x7f.0x0.0x0.0x1',
    '127.0.0x1',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
  ],
  [
    'metadata of clouds',
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '169.254.43518',
    '168.63.129.16',
    '100.100.100.200',
    '[fd00:ec2::254]',
    '192.0.0.192',
  ],
  [
    'private networks',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '198.18.0.1',
    '[fc00::1]',
    '[fe80::1]',
    '[fec0::1]',
  ],
  [
    'nobody in particular',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '[ff02::1]',
    '[::]',
    '[100::1]',
    '[2001:db8::1]',
  ],
  [
    'an IPv4 address inside',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:169.254.169.254]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[0:0:0:0:0:ffff:a00:1]',
    '[::ffff:0:7f00:1]',
  ],
] as const

for (const [what, ...hosts] of HOSTS)
  t.test(`${what}: refused`, async (t) => {
    for (const host of hosts)
      for (const port of [v4.port, v6.port])
        await t.rejects(call(`http://${host}:${port}/`, plain), REFUSED, host)
  })

t.test('tricks of writing: user, port, scheme and what parsers disagree on', async (t) => {
  for (const url of [
    `http://public.example@127.0.0.1:${v4.port}/`,
    `http://user:password@public.example:${v4.port}/`,
    `http://127.0.0.1:${v4.port}#@public.example/`,
    `http://127.0.0.1:${v4.port}\\@public.example/`,
    `http:/127.0.0.1:${v4.port}/`,
    `http:127.0.0.1:${v4.port}/`,
    `//127.0.0.1:${v4.port}/`,
    `http:///127.0.0.1:${v4.port}/`,
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    'https://public.example:22/',
    'https://public.example:6379/',
    'https://public.example:0/',
    `https://public.example/${'a'.repeat(2000)}`,
    '',
    'https://',
  ])
    await t.rejects(
      call(url, plain, async () => [{ address: '127.0.0.1', family: 4 }]),
      REFUSED,
      url,
    )
})

t.test(
  'a name is what it resolves to when it is connected to, and one wrong address refuses all',
  async (t) => {
    const answers = [
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '::1', family: 6 }],
      [{ address: '::ffff:127.0.0.1', family: 6 }],
      [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    ]
    for (const found of answers)
      await t.rejects(
        call(`http://name.example:${v4.port}/`, plain, async () => found),
        REFUSED,
      )
    await t.rejects(
      call(`http://name.example:${v4.port}/`, plain, async () => []),
      { code: 'RB_OUTBOUND_FAILED' },
    )
  },
)

t.test('a resolver that changes its mind between two questions is asked once', async (t) => {
  let asked = 0
  const rebinding: Resolve = async () => [
    { address: asked++ === 0 ? '127.0.0.1' : '93.184.216.34', family: 4 },
  ]
  await t.rejects(call(`http://rebind.example:${v4.port}/`, plain, rebinding), REFUSED)
  t.equal(asked, 1)
})

t.test('not a byte was sent: nobody came', async (t) => {
  t.strictSame([v4.connections, v6.connections], [0, 0])
})

t.test('public addresses are public, as far as numbers tell', async (t) => {
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700::1111', '2a00:1450::8a'])
    t.equal(explainAddress(address), null, address)
})

t.test('http is for what is allowed; elsewhere it is refused unless that is switched off', async (t) => {
  const resolve: Resolve = async () => [{ address: '93.184.216.34', family: 4 }]
  await t.rejects(call('http://public.example/', {}, resolve), { ...REFUSED, message: /https:\/\// })
})

t.test('what the operator lists is called: by name, number, network, with a port or any', async (t) => {
  const url = `http://127.0.0.1:${v4.port}/`
  for (const allow of [
    ['127.0.0.1'],
    ['127.0.0.0/8'],
    [`127.0.0.1:${v4.port}`],
    ['10.0.0.0/8', ' 127.0.0.1 '],
  ])
    t.equal((await call(url, { allow })).status, 200, allow.join())
  t.equal((await call(`http://[::1]:${v6.port}/`, { allow: [`[::1]:${v6.port}`] })).status, 200)
  const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  for (const allow of [['hooks.internal'], ['*.internal'], ['127.0.0.1']])
    t.equal((await call(`http://hooks.internal:${v4.port}/`, { allow }, resolve)).status, 200, allow.join())
  for (const allow of [
    ['127.0.0.1:1'],
    ['internal'],
    ['*.hooks.internal'],
    ['::ffff:127.0.0.1'],
    ['10.0.0.0/8'],
  ])
    await t.rejects(call(`http://hooks.internal:${v4.port}/`, { allow }, resolve), REFUSED, allow.join())
})

t.test('a list that is not understood is refused at start', async (t) => {
  for (const entry of ['', '10.1/8', 'http://x', '10.0.0.0/33', 'a b', '127.1', 'x:0', 'x:70000', '*'])
    t.throws(() => readPolicy({ allow: [entry] }), { code: 'RB_CONFIG_INVALID' }, entry)
})

t.test('a redirect is told, not followed', async (t) => {
  const answer = await call(`http://127.0.0.1:${v4.port}/redirect`, { allow: ['127.0.0.1'] })
  t.match(answer, { status: 302, headers: { location: 'http://169.254.169.254/latest/' } })
})

t.test(
  'no proxy of the environment, no credentials, no compression; the host is the name that was given',
  async (t) => {
    for (const name of ['http_proxy', 'HTTP_PROXY', 'NODE_USE_ENV_PROXY'])
      process.env[name] = 'http://127.0.0.1:1'
    t.teardown(() => {
      for (const name of ['http_proxy', 'HTTP_PROXY', 'NODE_USE_ENV_PROXY']) delete process.env[name]
    })
    await call(`http://hooks.internal:${v4.port}/seen`, { allow: ['*.internal'] }, async () =>
      lookup('127.0.0.1', { all: true }),
    )
    const { headers } = v4.requests.find(({ url }) => url === '/seen')!
    t.match(headers, {
      host: `hooks.internal:${v4.port}`,
      connection: 'close',
      'accept-encoding': 'identity',
    })
    t.notOk('authorization' in headers || 'cookie' in headers)
  },
)

t.test('what is too long is cut, and what is too slow is given up', async (t) => {
  const allow = ['127.0.0.1']
  const long = await call(`http://127.0.0.1:${v4.port}/long`, { allow })
  t.strictSame([long.body.length, long.isCut], [1000, true])
  const slow = call(`http://127.0.0.1:${v4.port}/slow`, { allow }, undefined, { timeoutMs: 200 })
  await t.rejects(slow, { code: 'RB_OUTBOUND_TIMEOUT' })
  const stuck: Resolve = () => new Promise(() => {})
  const name = call(`http://hooks.internal:${v4.port}/`, { allow: ['*.internal'] }, stuck, { timeoutMs: 100 })
  await t.rejects(name, { code: 'RB_OUTBOUND_TIMEOUT' })
  const stopping = new AbortController()
  const stopped = call(`http://127.0.0.1:${v4.port}/slow`, { allow }, undefined, { signal: stopping.signal })
  stopping.abort(new Error('stopped'))
  await t.rejects(stopped, { message: 'stopped' })
  await t.rejects(call('http://127.0.0.1:1/', { allow }), {
    code: 'RB_OUTBOUND_FAILED',
    message: /ECONNREFUSED/,
  })
})
