/** docs/reference/events.md has every event of a worker, and no other, with the fields it has. */
import t from 'tap'
import ts from 'typescript'
import { codeOf, readPage, rowsBy } from './page.ts'

/** Event -> names of its fields, as `interface RunEventMap` declares them. */
function eventsOfSource(): Record<string, string[]> {
  const source = ts.createSourceFile('events.ts', readPage('src/worker/events.ts'), ts.ScriptTarget.Latest)
  const map = source.statements
    .filter(ts.isInterfaceDeclaration)
    .find((one) => one.name.text === 'RunEventMap')!
  return Object.fromEntries(
    map.members.filter(ts.isPropertySignature).map(({ name, type }) => {
      const [fields] = (type as ts.TupleTypeNode).elements as unknown as [ts.TypeLiteralNode]
      return [
        (name as ts.StringLiteral).text,
        fields.members.map((member) => (member.name as ts.Identifier).text),
      ]
    }),
  )
}

t.test('every event is told, with its fields', async (t) => {
  const rows = rowsBy(readPage('docs/reference/events.md'), 'Event')
  const told = rows.map((row) => [
    codeOf(row.Event!),
    [...row.Fields!.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  ])
  t.strictSame(Object.fromEntries(told), eventsOfSource())
  t.ok(told.length > 5)
})
