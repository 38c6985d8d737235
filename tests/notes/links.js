// Links and anchors inside the project resolve; links to elsewhere are all in one list.
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
function check_links(document, report, _warn, _skip, read) {
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

const external_links = documents =>
  [...new Set(documents.flatMap(links).map(({ target }) => target).filter(target => /^https?:/.test(target) && !is_here(target)))].sort()

// Returns the list as it must be, when it is not.
function check_external_links(root, documents, report) {
  const file = path.join(root, list)
  const wanted = external_links(documents).map(link => link + '\n').join('')
  if ((fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '') === wanted) return
  report(`${list} is not the list of the external links`, { file, text: wanted })
}

module.exports = { check_links, check_external_links }
