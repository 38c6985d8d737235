#!/usr/bin/env node
// Quotations of the document are to the letter. The document is not part of the suite, so document_hashes.txt stands for it: a
// hash of each of its lines, and of each clause of its Chinese lines.
//
// node tests/notes/quotations.js list DOCUMENT >tests/notes/document_hashes.txt    makes that list
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const path = require('path')

const hash = text => crypto.createHash('sha256').update(text).digest('hex').slice(0, 16)
const bare = line => line.replace(/^\s*(?:>|#+ )?/, '').trim()
const clauses = line => /\p{Script=Han}/u.test(line) ? line.split(/[，。？、！；]/).map(clause => clause.trim()).filter(Boolean) : []

const list = document => [...new Set(document.split('\n').map(bare).filter(Boolean).flatMap(line => [line, ...clauses(line)]).map(hash))].sort()

// Listings, and the block quotations in Chinese under "The document says".
function check_quotations(document, report) {
  const known = new Set(fs.readFileSync(path.join(__dirname, 'document_hashes.txt'), 'utf8').split('\n'))
  const is_quoted = text => known.has(hash(text)) || clauses(text).length > 0 && clauses(text).every(clause => known.has(hash(clause)))
  const check = (line, text) => {
    if (bare(text) && !is_quoted(bare(text))) report(line, `not in the document: ${bare(text)}`)
  }
  for (const block of document.blocks)
    if (block.language === 'js' && block.options.document) block.lines.forEach((text, i) => check(block.line + 1 + i, text))
  for (const { line, text } of document.prose)
    if (document.part(line) === 'The document says' && /^> /.test(text) && /\p{Script=Han}/u.test(text)) check(line, text)
}

module.exports = { check_quotations }

if (require.main === module && process.argv[2] === 'list') console.log(list(fs.readFileSync(process.argv[3], 'utf8')).join('\n'))
