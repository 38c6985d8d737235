// Each pitfall names the test that shows it, in a comment at the end of its row: <!-- test: Suite.Name -->.
'use strict'
const fs = require('fs')
const path = require('path')

const files_below = folder => fs.readdirSync(folder, { withFileTypes: true }).flatMap(entry =>
  entry.isDirectory() ? files_below(path.join(folder, entry.name)) : [path.join(folder, entry.name)])

// The names of all tests: of GoogleTest, of CTest, and of the exercises.
function test_names(root) {
  const names = new Set()
  for (const file of files_below(path.join(root, 'tests'))) {
    if (!/\.cpp$|CMakeLists\.txt$/.test(file)) continue
    const text = fs.readFileSync(file, 'utf8')
    for (const [, suite, name] of text.matchAll(/^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)/gm)) names.add(`${suite}.${name}`)
    for (const [, name] of text.matchAll(/add_test\(NAME (\w+\.\w+)/g)) names.add(name)
    for (const [, name] of text.matchAll(/^check_(?:each_of_the_)?notes\(\w+ (\w+)/gm)) names.add(`Notes.${name}`)
  }
  for (const file of files_below(path.join(root, 'notes/answers')))
    if (path.basename(file) === 'test.js') names.add(`exercise ${path.basename(path.dirname(file))}`)
  return names
}

function check_pitfalls(document, report) {
  const rows = document.prose.filter(({ line, text }) => document.part(line) === 'Pitfalls' && text.startsWith('|')).slice(2)
  if (!rows.length) return
  const known = test_names(document.root)
  for (const { line, text } of rows) {
    const name = text.match(/<!-- test: (.*?) -->/)?.[1]
    if (!name) report(line, 'a pitfall without a test: <!-- test: Suite.Name -->')
    else if (!known.has(name)) report(line, `there is no test ${name}`)
  }
}

module.exports = { check_pitfalls }
