/** docs/reference/events.md has every event of a worker and of a beat, and no other, with the fields it has. */
import t from 'tap'
import ts from 'typescript'
import { codeOf, readPage, rowsBy } from './page.ts'

/** Event -> names of its fields, as the interface declares them. */
function eventsOfSource(file: string, name: string): Record<string, string[]> {
  const source = ts.createSourceFile('events.ts', readPage(file), ts.ScriptTarget.Latest)
  const map = source.statements.filter(ts.isInterfaceDeclaration).find((one) => one.name.text === name)!
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

for (const [column, file, name] of [
  ['Event', 'src/worker/events.ts', 'RunEventMap'],
  ['Beat event', 'src/beat/events.ts', 'BeatEventMap'],
] as const) {
  t.test(`every ${column.toLowerCase()} is told, with its fields`, async (t) => {
    const rows = rowsBy(readPage('docs/reference/events.md'), column)
    const told = rows.map((row) => [
      codeOf(row[column]!),
      [...row.Fields!.matchAll(/`(\w+)`/g)].map(([, field]) => field),
    ])
    t.strictSame(Object.fromEntries(told), eventsOfSource(file, name))
    t.ok(told.length > 5)
  })
}
