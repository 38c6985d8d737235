// Appendix C quotes what our programs say: each message in the first column of its tables is one that the sources have.
'use strict'
const fs = require('fs')
const path = require('path')

// The system's, and the shell's.
const not_ours = ['No such file or directory', 'command not found', 'connection reset by peer', 'Function not implemented', 'Operation not permitted',
  'Too many open files']

// The words between what varies: numbers, names in capitals such as N, quotes, dots.
const fixed_parts = message => message.split(/\.\.\.|['"():]|\b(?:\d+|[A-Z]|localhost)\b/).map(part => part.trim()).filter(part => part.split(/\s+/).length >= 3)

const sources_below = folder => fs.readdirSync(folder, { withFileTypes: true }).flatMap(entry =>
  entry.isDirectory() ? sources_below(path.join(folder, entry.name)) : /\.[ch]pp$/.test(entry.name) ? [path.join(folder, entry.name)] : [])

// All texts in the C++ of the programs, those that stand side by side joined.
const texts = root => ['common', 'demos', 'clients'].flatMap(folder => sources_below(path.join(root, folder)))
  .map(file => fs.readFileSync(file, 'utf8').replace(/"\s*\n\s*"/g, '')).join('\n')

function check_messages(document, report) {
  if (!/(^|\/)C-[^/]*\.md$/.test(document.name)) return
  let sources
  for (const { line, text } of document.prose) {
    const cell = text.match(/^\| ([^|]*) \|/)?.[1] ?? ''
    if (cell.startsWith('Node')) continue // what Node says
    for (const [, message] of cell.matchAll(/`([^`]+)`/g))
      for (const part of fixed_parts(message)) {
        sources ??= texts(document.root)
        if (!sources.includes(part) && !not_ours.some(known => part.includes(known))) report(line, `no program says "${part}"`)
      }
  }
}

module.exports = { check_messages }
