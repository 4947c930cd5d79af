/**
 * The claims of this folder, held by the compiler: what must infer does, and each line under `@ts-expect-error` is refused
 * (one that compiles after all is an error too).
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { ROOT } from '../helpers/process.ts'

t.test('what must infer infers, and what must not compile does not', (t) => {
  const folder = join(ROOT, 'test/types')
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => join(folder, file))
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
  const program = ts.createProgram(files, options)
  const told = files.flatMap((file) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(file)).map((diagnostic) => {
      const { line } = diagnostic.file!.getLineAndCharacterOfPosition(diagnostic.start ?? 0)
      const words = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')
      return `${diagnostic.file!.fileName.slice(ROOT.length)}:${line + 1} ${words}`
    }),
  )
  t.strictSame(told, [])
  t.ok(files.length >= 3)
  t.end()
})
