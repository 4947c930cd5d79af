/**
 * Why the Fastify plugin of AdminJS is not used (docs/decisions/0012): who is not signed in gets the rows by writing the name of a file behind the
 * address. The day this fails, somebody has mended it, and the decision is worth another look.
 */
import t from 'tap'
import { buildAuthenticatedRouter } from '@adminjs/fastify'
import AdminJS, { BaseProperty, BaseRecord, BaseResource } from 'adminjs'
import { fastify } from 'fastify'

class Secrets extends BaseResource {
  override id = () => 'secrets'
  override properties = () => [new BaseProperty({ path: 'id', isId: true })]
  override property = () => this.properties()[0]!
  override count = async () => 1
  override find = async () => [new BaseRecord({ id: 'a secret' }, this)]
}

t.test('the plugin of AdminJS lets anybody in who writes the name of a file behind an address', async (t) => {
  process.env['ADMIN_JS_SKIP_BUNDLE'] = 'true'
  const app = fastify()
  t.after(() => app.close())
  const admin = new AdminJS({ rootPath: '/admin', resources: [new Secrets()] })
  const secret = 'a password of thirty-two characters or more'
  await buildAuthenticatedRouter(
    admin,
    { authenticate: async () => null, cookiePassword: secret, cookieName: 'adminjs' },
    app as never,
    { secret },
  )
  const list = '/admin/api/resources/secrets/actions/list'
  const decent = await app.inject(list)
  t.notMatch(decent.body, /a secret/)
  const rude = await app.inject(`${list}?x=/frontend/assets/app.bundle.js`)
  t.equal(rude.statusCode, 200)
  t.match(rude.body, /a secret/, 'mended: see whether @adminjs/fastify can be used now')
})
