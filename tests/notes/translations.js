// A translation, X.zh-CN.md beside X.md, is held to its original: the same commands and transcripts, the same names, links and
// numbers in another language. What the blocks show is tried in the original only.
'use strict'
const fs = require('fs')
const path = require('path')
const { links } = require('./links.js')

const ending = /\.zh-CN\.md$/
const is_translation = document => ending.test(document.name)
const original_of = name => name.replace(ending, '.md')

// A diagram without the words in it: `C[clients] -->|connect| K` is `C[] -->|| K`.
const without_labels = lines => lines.map(line => line.replace(/\[[^\]]*\]/g, '[]').replace(/\|[^|]*\|/g, '||'))

const prose_of = document => document.prose.map(({ text }) => text.replace(/<!--.*?-->/g, '')).join('\n')
const code_in = document => [...prose_of(document).matchAll(/`[^`]+`/g)].map(([code]) => code)
const numbers_in = document => [...prose_of(document).replace(/`[^`]*`|\]\([^)]*\)|<[^>]*>/g, ' ').matchAll(/\d+(?:[.,]\d+)*/g)].map(([number]) => number)

// One that the first list has more often than the second; undefined when there is none.
function surplus(list, other) {
  const left = [...other]
  return list.find(one => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

function check_translation(document, report, _skip, read) {
  if (!is_translation(document)) return
  const name = original_of(document.name)
  if (!fs.existsSync(path.join(document.root, name))) return report(1, `there is no ${name} that this translates`)
  const original = read(name)
  const [ours, theirs] = [path.basename(document.name), path.basename(name)]
  if (!links(original).some(({ target }) => target === ours)) report(1, `${name} has no link to this translation`)
  if (!links(document).some(({ target }) => target === theirs)) report(1, `there is no link to ${name}`)

  if (document.blocks.length !== original.blocks.length)
    return report(1, `${document.blocks.length} code blocks; ${name} has ${original.blocks.length}`)
  document.blocks.forEach((block, i) => {
    const { language, words, lines } = original.blocks[i]
    const kind = [language, ...words].join(' ')
    const form = language === 'mermaid' ? without_labels : text => text
    if (kind !== [block.language, ...block.words].join(' ')) report(block.line, `${name} has "${kind}" here`)
    else if (form(lines).join('\n') !== form(block.lines).join('\n'))
      report(block.line, `this block is not that of ${name}`, language === 'mermaid' ? undefined : { block, lines })
  })

  const targets = of => links(of).map(({ target }) => target).filter(target => target !== ours && target !== theirs)
  for (const [what, parts_of] of [['code', code_in], ['link', targets], ['number', numbers_in]]) {
    const [here, there] = [parts_of(document), parts_of(original)]
    const [missing, extra] = [surplus(there, here), surplus(here, there)]
    if (missing !== undefined) report(1, `${what} that ${name} has, and this has not: ${missing}`)
    if (extra !== undefined) report(1, `${what} that ${name} has not: ${extra}`)
  }
}

module.exports = { check_translation, is_translation }
