#!/usr/bin/env node
// node tests/notes/check.js check|update [--only=PART,...] [--root=FOLDER] [--patience=MILLISECONDS] [FILE...]
//
// Checks the Markdown files (all of notes/, the README and its translation), or puts right what can be rewritten. The parts are those of
// `parts` below; without --only, all. Exit code 0: all well; 1: problems; 2: usage; 77: all that was asked for was skipped.
'use strict'
const fs = require('fs')
const path = require('path')
const { Document } = require('./markdown.js')
const { check_excerpts } = require('./excerpts.js')
const { check_structure } = require('./structure.js')
const { check_links, check_names, check_external_links } = require('./links.js')
const { check_data, check_numbers } = require('./numbers.js')
const { check_cpp, check_javascript } = require('./programs.js')
const { check_quotations } = require('./quotations.js')
const { check_listings } = require('./listings.js')
const { check_messages } = require('./messages.js')
const { check_pitfalls } = require('./pitfalls.js')
const { check_terms } = require('./terms.js')
const { check_tools } = require('./tools.js')
const { check_traces, check_transcripts, set_patience } = require('./transcripts.js')
const { check_translation, is_translation } = require('./translations.js')
const { check_mermaid, close_browser } = require('./mermaid.js')

// What each part checks in a document: (document, report, skip, read).
const parts = {
  text: [check_structure, check_excerpts, check_quotations, check_listings, check_links, check_names, check_pitfalls, check_messages,
    check_terms, check_tools, check_numbers, check_translation],
  code: [check_cpp, check_javascript],
  transcripts: [check_transcripts],
  traces: [check_traces],
  pictures: [check_mermaid]
}

// A translation shows what its original shows, so this need not be done twice.
const tried_in_the_original = [check_cpp, check_javascript, check_transcripts, check_traces]

const markdown_below = (root, folder) => fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry =>
  entry.isDirectory() ? markdown_below(root, path.join(folder, entry.name)) : entry.name.endsWith('.md') ? [path.join(folder, entry.name)] : [])

async function main(words) {
  const option = name => words.find(word => word.startsWith(`--${name}=`))?.split('=')[1]
  const [command, ...files] = words.filter(word => !word.startsWith('--'))
  const only = option('only')?.split(',') ?? Object.keys(parts)
  if (!['check', 'update'].includes(command) || only.some(part => !parts[part])) {
    console.error(`usage: check.js check|update [--only=${Object.keys(parts).join(',')}] [FILE...]`)
    return 2
  }
  const root = path.resolve(option('root') ?? path.join(__dirname, '../..'))
  if (option('patience')) set_patience(Number(option('patience')))
  const readmes = fs.readdirSync(root).filter(name => /^README\b.*\.md$/.test(name))
  const names = files.length ? files.map(file => path.relative(root, path.resolve(file))) : [...readmes, ...markdown_below(root, 'notes')].sort()
  const read = name => new Document(root, name)
  const documents = names.map(read)

  let problems = 0, skipped = 0, rewritten = 0
  const say_problem = (where, message) => { problems++; console.log(`${where}: ${message}`) }

  for (const document of documents) {
    const replacements = []
    const report = (line, message, fix) => {
      if (command === 'update' && fix) replacements.push(fix)
      else say_problem(`${document.name}:${line}`, message)
    }
    const skip = (line, message) => { skipped++; console.log(`${document.name}:${line}: SKIPPED: ${message}`) }
    for (const part of only)
      for (const check of is_translation(document) ? parts[part].filter(check => !tried_in_the_original.includes(check)) : parts[part]) await check(document, report, skip, read)
    if (replacements.length) {
      fs.writeFileSync(path.join(root, document.name), document.rewritten(replacements))
      console.log(`${document.name}: rewrote ${replacements.length}`)
      rewritten += replacements.length
    }
  }
  if (only.includes('text') && !files.length) {
    check_data(root, message => say_problem('notes/data', message))
    check_external_links(root, documents, (message, fix) => {
      if (command === 'update') fs.writeFileSync(fix.file, fix.text)
      else say_problem('links', `${message}; ./run notes update writes it`)
    })
  }
  console.log(`${documents.length} files, ${only.join(', ')}: ${problems} problems` +
    (skipped ? `, ${skipped} skipped` : '') + (rewritten ? `, ${rewritten} rewritten` : ''))
  return problems ? 1 : skipped && only.length === 1 ? 77 : 0
}

main(process.argv.slice(2)).finally(close_browser).then(code => { process.exitCode = code })
