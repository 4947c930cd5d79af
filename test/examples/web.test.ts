import t from 'tap'
import { emailAddress, maskAddress } from '../../src/examples/web/email.ts'
import { html, htmlText } from '../../src/examples/web/html.ts'

t.test('values are escaped, pieces of html are not, nothing stays nothing', async (t) => {
  const hostile = `<script>alert("x")</script>&'\``
  const list = [html`<i>${1}</i>`, html`<i>2</i>`]
  // prettier-ignore
  const piece = html`<b title="${hostile}">${hostile}</b>${null}${undefined}${false}${list}`
  const escaped = '&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#38;&#39;&#96;'
  t.equal(htmlText(piece), `<b title="${escaped}">${escaped}</b><i>1</i><i>2</i>`)
})

t.test('mail addresses of any language are taken, what separates or hides is not', async (t) => {
  for (const good of ['ada@example.net', ' a.b+c@x-y.co.uk ', 'тарас@приклад.укр', 'root@localhost'])
    t.ok(emailAddress.safeParse(good).success, good)
  const bad = [
    '',
    'ada',
    '@x',
    'a@',
    'a@b..c',
    'a@.b',
    'a@b.',
    'a b@c',
    'a@b@c',
    'a,b@c',
    '<a@b>',
    'a@b\r\nBcc:x@y',
    'a@b\0',
  ]
  for (const address of [...bad, 7, null, undefined, `${'a'.repeat(65)}@b`, `a@${'b'.repeat(260)}`])
    t.notOk(emailAddress.safeParse(address).success, JSON.stringify(address))
})

t.test('an address is shown in part', async (t) => {
  t.equal(maskAddress('ada@example.net'), 'ad…@example.net')
  t.equal(maskAddress('a@b'), 'a…@b')
})
