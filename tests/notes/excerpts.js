// Excerpts: a block with file= is what stands in that file, between the lines that name its marker.
'use strict'
const fs = require('fs')
const path = require('path')

const marker_line = /^\s*(?:\/\/|#)\s*\[\/?[\w-]+\]\s*$/

// The lines between `// [name]` and `// [/name]`, or of the whole file; indentation that all share taken off.
function excerpt(text, name) {
  let lines = text.replace(/\n$/, '').split('\n')
  if (name) {
    const at = mark => {
      const found = lines.flatMap((line, i) => new RegExp(`^\\s*(?://|#)\\s*\\[${mark}\\]\\s*$`).test(line) ? [i] : [])
      if (found.length !== 1) throw new Error(`[${mark}] stands there ${found.length} times, not once`)
      return found[0]
    }
    const [first, last] = [at(name), at(`/${name}`)]
    if (last < first) throw new Error(`[/${name}] stands before [${name}]`)
    lines = lines.slice(first + 1, last)
  }
  lines = lines.filter(line => !marker_line.test(line))
  while (lines.length && !lines[0].trim()) lines.shift()
  while (lines.length && !lines.at(-1).trim()) lines.pop()
  const indent = Math.min(...lines.filter(line => line.trim()).map(line => line.match(/^ */)[0].length))
  return lines.map(line => line.slice(indent))
}

function check_excerpts(document, report) {
  for (const block of document.blocks) {
    const { file, marker } = block.options
    if (!file) continue
    try {
      const lines = excerpt(fs.readFileSync(path.join(document.root, file), 'utf8'), marker)
      if (lines.join('\n') !== block.lines.join('\n'))
        report(block.line, `the excerpt is not what ${file} has${marker ? ` at [${marker}]` : ''}`, { block, lines })
    } catch (error) {
      report(block.line, `${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`)
    }
  }
}

module.exports = { check_excerpts, excerpt }
