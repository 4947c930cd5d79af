/**
 * Rows as people read them in a terminal: columns as wide as their widest cell, no trailing blanks. What would move the cursor or
 * worse is taken out: cells come from the database, and who wrote them is not who reads them.
 */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(harmless))
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Control characters, half surrogates and marks that turn the direction of text become `?`; line breaks too. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '?')
}

/** Text of several lines, each behind this many blanks. */
export function indented(text: string, by: number): string {
  const lines = text.replaceAll('\t', '  ').split(/\r?\n/)
  return lines.map((line) => `${' '.repeat(by)}${harmless(line)}`.trimEnd()).join('\n')
}
