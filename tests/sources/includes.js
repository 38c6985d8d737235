// Does each file include only what the table in CONTRIBUTING.md lets its part use? And does each .cpp include its own
// header first, so that the header shows it needs no other before it?
//
//     node tests/sources/includes.js [FOLDER]     exit code 1, and a line for each that does not
'use strict'
const fs = require('fs')
const path = require('path')

const files_below = folder => fs.readdirSync(folder, { withFileTypes: true }).flatMap(entry => entry.isDirectory()
  ? files_below(path.join(folder, entry.name))
  : /\.[ch]pp$/.test(entry.name) ? [path.join(folder, entry.name)] : [])

// By the first cell of each row, `common/app`: what the third lets it use, "`workers`, the options of `http`" as workers and http/options.hpp.
function table_of(contributing) {
  const rows = new Map()
  for (const line of contributing.split('\n')) {
    const [, parts, , uses] = line.split('|')
    if (!uses || !/`(demos\/|clients\/|common\/\w+)`/.test(parts)) continue
    for (const [, part] of parts.matchAll(/`(?:common\/)?(\w+)\/?`/g))
      rows.set(part, [...uses.matchAll(/(?:the (\w+) of )?`(\w+)`/g)].map(([, header, used]) => header ? `${used}/${header}.hpp` : used))
  }
  return rows
}

// What a part may include: what it uses, what that uses, and so on; and of course itself.
function allowed(rows, part, all = new Set()) {
  if (!all.has(part)) {
    all.add(part)
    for (const used of rows.get(part) ?? []) allowed(rows, used, all)
  }
  return all
}

// Sentences about what is not as it should be.
function check(root) {
  const problems = []
  const rows = table_of(fs.readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8'))
  for (const file of ['common', 'demos', 'clients'].flatMap(folder => files_below(path.join(root, folder)))) {
    const name = path.relative(root, file)
    const [top, below] = name.split('/')
    const part = top !== 'common' ? top : name.split('/').length > 2 ? below : '' // '': common/posix.hpp and its like
    if (part && !rows.has(part)) problems.push(`${name}: CONTRIBUTING.md does not say what ${top === 'common' ? `common/${part}` : part} may use`)

    const includes = [...fs.readFileSync(file, 'utf8').matchAll(/^#include "([^"]+)"/mg)].map(found => found[1])
    const usable = allowed(rows, part)
    for (const included of includes) {
      const [folder, ...rest] = included.split('/')
      const is_right = !rest.length ? fs.existsSync(path.join(root, 'common', included)) // posix.hpp and its like
        : folder === '..' ? top !== 'common' && rest.length === 1 // beside the demos
          : usable.has(folder) || usable.has(included)
      if (!is_right) problems.push(`${name}: "${included}"; of ours it may use ${[...usable].slice(1).join(', ') || 'nothing'}`)
    }
    const own = top === 'common' && file.endsWith('.cpp') && file.replace(/cpp$/, 'hpp')
    if (own && fs.existsSync(own) && path.join(root, 'common', includes[0] ?? '') !== own)
      problems.push(`${name}: its own header comes first`)
  }
  return problems
}

module.exports = { check, files_below }
if (require.main === module) {
  const problems = check(process.argv[2] ?? path.join(__dirname, '../..'))
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length ? 1 : 0
}
