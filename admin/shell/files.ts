/**
 * The files a browser gets: AdminJS's own bundles and ours (bin/panel-build.mjs). Their addresses hold a hash of what is in them, so a
 * browser keeps them for good, and asks for new ones once there is another release. They are compressed once, at their first use, and kept
 * so; who takes no gzip gets them as they are. The whole list is here: nothing else is ever read.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ConfigError } from '../../src/errors.ts'
import { LANGUAGES } from '../locale/texts.ts'
import { takesGzip } from './html.ts'
import { placeOfAdminJs, placeOfDesignSystem } from './slim.ts'
import { placeOfWords } from './words.ts'

export interface Files {
  /** The address of one, by its name. */
  address(name: FileName): string
  /** The address of the words of each language but English, which the script has. */
  words: Readonly<Record<string, string>>
  serve(app: FastifyInstance): void
}

export type FileName = keyof ReturnType<typeof placesOf>

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'
const WORDS = 'application/json; charset=utf-8'
const YEAR = 'public, max-age=31536000, immutable'

/** Name -> where it lies and what it is. */
function placesOf(): Record<
  'global.js' | 'design-system.js' | 'app.js' | 'panel.js' | 'panel.css' | 'login.css' | 'icon.svg',
  { at: string; type: string }
> {
  const adminjs = new URL('./lib/frontend/assets/scripts/', placeOfAdminJs())
  const system = placeOfDesignSystem()
  const own = new URL('../dist/', import.meta.url)
  const at = (file: string, base: URL): string => fileURLToPath(new URL(file, base))
  return {
    'global.js': { at: at('global-bundle.production.js', adminjs), type: SCRIPT },
    'design-system.js': { at: at('../bundle.production.js', system), type: SCRIPT },
    'app.js': { at: at('app-bundle.production.js', adminjs), type: SCRIPT },
    'panel.js': { at: at('panel.js', own), type: SCRIPT },
    'panel.css': { at: at('panel.css', own), type: STYLE },
    'login.css': { at: at('login.css', own), type: STYLE },
    'icon.svg': { at: at('icon.svg', own), type: 'image/svg+xml' },
  }
}

interface File {
  at: string
  type: string
  tag: string
  zipped: Promise<Buffer> | null
}

/** Throws ConfigError when one is not there. */
export async function loadFiles(root: string): Promise<Files> {
  const files = new Map<string, File>()
  const tags = LANGUAGES.map(({ tag }) => tag).filter((tag) => tag !== 'en')
  const words = tags.map((tag) => [`${tag}.json`, { at: placeOfWords(tag), type: WORDS }] as const)
  for (const [name, { at, type }] of [...Object.entries(placesOf()), ...words])
    files.set(name, { at, type, tag: await hashOf(at), zipped: null })
  const address = (name: string): string => `${root}/files/${files.get(name)!.tag}/${name}`

  return Object.freeze({
    address,
    words: Object.fromEntries(tags.map((tag) => [tag, address(`${tag}.json`)])),
    serve(app: FastifyInstance) {
      for (const [name, file] of files)
        app.get(address(name), { config: { rowbeatPanel: 'file' } }, (request, reply) =>
          sendFile(request, reply, file),
        )
    },
  })
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, file: File): Promise<unknown> {
  const etag = `"${file.tag}"`
  reply.headers({ 'cache-control': YEAR, etag, vary: 'accept-encoding' })
  if (request.headers['if-none-match'] === etag) return await reply.code(304).send()
  reply.type(file.type)
  if (!takesGzip(request)) return await reply.send(await readLawful(file.at))
  file.zipped ??= readLawful(file.at).then((bytes) => promisify(gzip)(bytes, { level: 9 }))
  return await reply.header('content-encoding', 'gzip').send(await file.zipped)
}

/** A library in AdminJS's bundle finds the global object by `new Function`, which the policy forbids and reports; this word is the same object. */
async function readLawful(at: string): Promise<Buffer> {
  const bytes = await readFile(at)
  const eager = 'new Function("return this")()'
  return bytes.includes(eager) ? Buffer.from(bytes.toString().replaceAll(eager, 'globalThis')) : bytes
}

async function hashOf(at: string): Promise<string> {
  const bytes = await readFile(at).catch((cause: unknown) => {
    throw new ConfigError(
      `The panel lacks its file ${at}: in a clone run node bin/panel-build.mjs, elsewhere install the package again.`,
      { cause },
    )
  })
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
