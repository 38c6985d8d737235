// Links and anchors inside the project resolve, names in the code and of tests are there; links to elsewhere are all in one list.
'use strict'
const fs = require('fs')
const path = require('path')

const list = 'tests/notes/external_links.txt'

function links(document) {
  return document.prose.flatMap(({ line, text }) => {
    const visible = text.replace(/`[^`]*`/g, '').replace(/<!--.*?-->/g, '')
    return [...visible.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(https?:[^>]+)>|(?:href|src)="([^"]+)"|^\[[^\]]+\]:\s*(\S+)/g)]
      .map(found => ({ line, target: found.slice(1).find(Boolean) }))
  })
}

const is_external = target => /^[a-z]+:/i.test(target)
const is_here = target => /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(target) // a demo that the reader has started

// `read` gives the Document of a path.
function check_links(document, report, _skip, read) {
  for (const { line, target } of links(document)) {
    if (is_external(target)) continue
    const [file, fragment] = target.split('#').map(decodeURIComponent)
    const name = path.normalize(file ? path.join(path.dirname(document.name), file) : document.name)
    if (name.startsWith('..')) report(line, `${target} leads out of the project`)
    else if (!fs.existsSync(path.join(document.root, name))) report(line, `${target}: there is no ${name}`)
    else if (fragment !== undefined && /^L\d+/.test(fragment)) report(line, `${target} names a line; lines move`)
    else if (fragment !== undefined && name.endsWith('.md') && !(name === document.name ? document : read(name)).anchors.has(fragment))
      report(line, `${target}: ${name} has no heading with that anchor`)
  }
}

const text_below = folder => fs.readdirSync(folder, { withFileTypes: true }).map(entry =>
  entry.isDirectory() ? text_below(path.join(folder, entry.name))
    : /\.[ch]pp$/.test(entry.name) ? fs.readFileSync(path.join(folder, entry.name), 'utf8') : '').join('\n')

// `common/net/end.hpp:end` is a word in that file; a sentence in capitals, `OnlyWorkersAnswer` or `A3_...`, is the name of a test.
function check_names(document, report) {
  let tests
  for (const { line, text } of document.prose)
    for (const [, code] of text.matchAll(/`([^`]*)`/g)) {
      const [, file, symbol] = code.match(/^([\w./-]+\.(?:[ch]pp|js)):(\w+)$/) ?? []
      if (file && !fs.existsSync(path.join(document.root, file))) report(line, `${code}: there is no ${file}`)
      else if (file && !new RegExp(`\\b${symbol}\\b`).test(fs.readFileSync(path.join(document.root, file), 'utf8')))
        report(line, `${code}: there is no ${symbol} in that file`)
      if (/^(?:[A-F]\d+_(?:[A-Z][a-z0-9]*){2,}|(?:[A-Z][a-z0-9]*){4,})$/.test(code) && /[a-z]/.test(code)) {
        tests ??= text_below(path.join(document.root, 'tests'))
        if (!new RegExp(`, ${code}\\)`).test(tests)) report(line, `there is no test ${code}`)
      }
    }
}

const external_links = documents =>
  [...new Set(documents.flatMap(links).map(({ target }) => target).filter(target => /^https?:/.test(target) && !is_here(target)))].sort()

// Returns the list as it must be, when it is not.
function check_external_links(root, documents, report) {
  const file = path.join(root, list)
  const wanted = external_links(documents).map(link => link + '\n').join('')
  if ((fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '') === wanted) return
  report(`${list} is not the list of the external links`, { file, text: wanted })
}

module.exports = { links, check_links, check_names, check_external_links }
