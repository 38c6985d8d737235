// What a chapter puts in *italics* is a term, and chapter 00's glossary has it, with its Chinese name.
'use strict'
const fs = require('fs')
const path = require('path')

const chapter_00 = root => fs.readdirSync(path.join(root, 'notes')).find(name => name.startsWith('00-'))

// The English column: `to reap`, `descriptor, file descriptor`.
const terms_of = glossary => glossary.prose.filter(({ line, text }) => glossary.part(line) === 'Glossary' && text.startsWith('|')).slice(2)
  .flatMap(({ text }) => text.split('|')[1].split(',')).map(term => term.trim().toLowerCase().replace(/^to /, ''))

function check_terms(document, report, _skip, read) {
  if (!/(^|\/)(?!00)\d\d-[^/]*\.md$/.test(document.name)) return
  const terms = terms_of(read(path.join('notes', chapter_00(document.root))))
  const is_term = word => terms.some(term => term.startsWith(`${word} `) || ['', 's', 'ed'].some(ending => term + ending === word))
  for (const { line, text } of document.prose) {
    if (document.part(line) === 'Sources') continue // titles of books
    for (const [, word] of text.replace(/`[^`]*`|\*\*.*?\*\*|<!--.*?-->/g, '').matchAll(/\*([^*]+)\*/g))
      if (!is_term(word.toLowerCase())) report(line, `the glossary has no ${word}`)
  }
}

module.exports = { check_terms }
