// Listings of the document are shown and not run. What runs in the place of each has all of its lines, in the same order.
'use strict'
const fs = require('fs')
const path = require('path')

const counterparts = 'tests/interop/node/' // the interop tests run all that is there
const run_by_tests = [counterparts, 'tests/library/consumer/']

const is_code = line => line.trim() && !/^\s*\/\//.test(line)
const bare = text => text.replace(/\s+/g, '')

// The comments right below a block that say which of its lines reads otherwise in the program, and how: by the line.
function differences(document, block) {
  const found = new Map()
  const end = block.line + block.lines.length + 1
  for (const [i, text] of document.lines.slice(end).entries()) {
    const [, shown, there] = text.match(/^<!-- differs: (.*?) ⇒ (.*) -->$/) ?? []
    if (shown !== undefined) found.set(bare(shown), { line: end + i + 1, there: there === 'nothing' ? '' : there })
    else if (text.trim()) break
  }
  return found
}

// The program that runs in the place of a listing.
function program_of(document, block) {
  const name = block.options.node
  if (name === 'below') {
    const below = document.blocks.find(({ line, language, options }) => line > block.line && language === 'js' && options.run)
    if (!below) throw new Error('there is no js run below')
    return below.lines.join('\n')
  }
  if (!name?.startsWith?.(counterparts)) throw new Error(`nothing runs in its place: node=${counterparts}..., or node=below`)
  if (!fs.existsSync(path.join(document.root, name))) throw new Error(`there is no ${name}`)
  return fs.readFileSync(path.join(document.root, name), 'utf8')
}

function check_listings(document, report) {
  for (const block of document.blocks) {
    if (block.language === 'js' && block.options.file && !run_by_tests.some(folder => block.options.file.startsWith(folder)))
      report(block.line, `nothing runs ${block.options.file}`)
    if (block.language !== 'js' || !block.options.document) continue
    try {
      const program = bare(program_of(document, block).split('\n').filter(is_code).join('\n'))
      const different = differences(document, block)
      let at = 0
      block.lines.filter(is_code).forEach(line => {
        const { there = line } = different.get(bare(line)) ?? {}
        different.delete(bare(line))
        const found = program.indexOf(bare(there), at)
        if (found < 0) throw new Error(`the program in its place has no such line, or has it earlier: ${there.trim()}`)
        at = found + bare(there).length
      })
      for (const { line } of different.values()) report(line, 'the listing above has no such line')
    } catch (error) {
      report(block.line, error.message)
    }
  }
}

module.exports = { check_listings }
