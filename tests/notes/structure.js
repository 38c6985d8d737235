// The form of a chapter: its headings, the kinds of code blocks, its length, its questions and exercises.
'use strict'
const fs = require('fs')
const path = require('path')
const { numbers_in, table_of } = require('./exercises.js')

const template = ['Question', 'The document says', 'JavaScript and C++ side by side', 'Picture', 'Predict', 'Run it',
  'Expected output', 'What the kernel did', 'Try this', 'Pitfalls', 'Checkpoint', 'Sources']

const kinds = ['Observe', 'Change', 'Build'] // exercises 1, 2 and 3 of a chapter

// Commands that a block may show without running them: they build everything, or change the machine or the tree. Nothing else.
const never_run = [/^\.\/run( |$)/, /^sudo /, /^git /]

// What may follow each language; a block says how it is checked.
const languages = {
  cpp: ['file', 'compile'], js: ['file', 'run', 'document'], json: [], bash: ['file'], cmake: ['file'], console: [], mermaid: [], text: [], diff: []
}

const is_chapter = name => /(^|\/)\d\d-[^/]*\.md$/.test(name)
const is_template_chapter = name => /(^|\/)(?:0[1-9]|1[02])-[^/]*\.md$/.test(name)

function check_headings(document, report) {
  const name = path.basename(document.name)
  const id = name.match(/^(\d\d|[A-Z])-/)?.[1]
  if (id && !document.lines[0].startsWith(`# ${id}. `)) report(1, `the first line is not "# ${id}. " and the title`)
  if (id === '00' && !document.headings.some(({ level, text }) => level === 2 && text === 'Glossary'))
    report(1, 'chapter 00 has no "## Glossary"')
  if (!is_template_chapter(name)) return
  const found = document.headings.filter(({ level }) => level === 2)
  template.forEach((text, i) => {
    if (found[i]?.text !== text)
      report(found[i]?.line ?? document.lines.length, `heading ${i + 1} of the template is "## ${text}", not ${found[i] ? `"## ${found[i].text}"` : 'the end'}`)
  })
  for (const extra of found.slice(template.length)) report(extra.line, `"## ${extra.text}" is not in the template`)
}

function check_languages(document, report) {
  if (document.unclosed) report(document.unclosed, 'the code block is not closed')
  for (const { line, language, options, words, lines } of document.blocks) {
    const needed = languages[language]
    if (!needed) report(line, `a code block in ${language || 'no language'}: not one that is checked`)
    else if (['cpp', 'js', 'cmake'].includes(language) && !needed.some(word => options[word]))
      report(line, `${language} with nothing that says how it is checked: ${needed.join(', ')}`)
    if (language === 'text' && options.output && document.blocks[document.blocks.findIndex(block => block.line === line) - 1]?.options.run !== true)
      report(line, '"text output" does not follow a program, "js run"')
    if (language === 'json') {
      try { if (!options.file) JSON.parse(lines.join('\n')) } catch (error) { report(line, `not JSON: ${error.message}`) }
    }
    if (language === 'console' && options.shown && lines.some(text => !text.startsWith('$ ')))
      report(line, 'a block that is not run shows output')
    for (const text of language === 'console' && options.shown ? lines : [])
      if (text.startsWith('$ ') && !never_run.some(command => command.test(text.slice(2)))) report(line, `could be run, and is not: ${text.slice(2)}`)
    const known = ['file', 'marker', 'compile', 'run', 'document', 'output', 'terminal', 'terminals', 'order', 'exit', 'varies', 'strace', 'shown', 'node']
    for (const word of words) if (!known.includes(word.split('=')[0])) report(line, `unknown: ${word}`)
  }
}

// Words as a reader counts them: code and comments left out, what is folded, and the glossary; a Chinese character counts as a word.
function words(document) {
  const prose = document.prose.filter(({ line }) => document.part(line) !== 'Glossary').map(({ text }) => text).join('\n')
    .replace(/<details><summary>(?:Hint|Answer)<\/summary>.*?<\/details>/gs, ' ').replace(/<!--.*?-->/gs, ' ').replace(/<[^>]*>/gs, ' ').replace(/\]\([^)]*\)/g, ' ')
  return (prose.match(/[\p{Script=Latin}\p{N}][\p{Script=Latin}\p{N}'’.,_:-]*|\p{Script=Han}/gu) ?? []).length
}

function check_length(document, report) {
  const count = words(document)
  if (is_chapter(document.name) && (count < 600 || count > 1200)) report(1, `${count} words; a chapter has 600 to 1,200`)
}

function check_checkpoint(document, report) {
  if (!is_template_chapter(document.name)) return
  const lines = document.prose.filter(({ line }) => document.part(line) === 'Checkpoint')
  for (const question of ['1. ', '2. ', '3. '])
    if (!lines.some(({ text }) => text.startsWith(question))) report(lines[0]?.line ?? 1, `the checkpoint has no question ${question}`)
  if (!lines.some(({ text }) => text.includes('<details>'))) report(lines[0]?.line ?? 1, 'the answers of the checkpoint are not folded in <details>')
  const opened = document.prose.filter(({ text }) => text.includes('<details>')).length
  const closed = document.prose.filter(({ text }) => text.includes('</details>')).length
  if (opened !== closed) report(lines[0]?.line ?? 1, `${opened} times <details>, ${closed} times </details>`)
}

// The exercises of chapters 02 to 10 and 12, each with a hint and an answer folded below it, and with its folder.
function check_exercises(document, report) {
  const chapter = Number(path.basename(document.name).match(/^(0[2-9]|1[02])-/)?.[1])
  if (!chapter) return
  const prose = document.prose.filter(({ line }) => document.part(line) === 'Try this')
  const begins = number => prose.findIndex(({ text }) => text.startsWith(`<a id="${number}"></a>**${number} `))
  kinds.forEach((kind, i) => {
    const number = `${chapter}.${i + 1}`
    const at = begins(number)
    if (!prose[at]?.text.includes(`**${number} ${kind}.**`))
      return report(prose[0]?.line ?? 1, `there is no exercise <a id="${number}"></a>**${number} ${kind}.**`)
    const next = begins(`${chapter}.${i + 2}`)
    const lines = prose.slice(at, next < 0 ? undefined : next)
    const folded = lines.flatMap(({ text }) => text.match(/^<details><summary>(.*)<\/summary>$/)?.[1] ?? [])
    if (folded.join() !== 'Hint,Answer' || lines.filter(({ text }) => text === '</details>').length !== 2)
      report(prose[at].line, `below exercise ${number} a hint and then an answer are not folded in <details>`)
    const folder = path.join('notes/answers', number)
    for (const file of ['test.js', i === 0 ? 'answer' : 'solution.patch'])
      if (!fs.existsSync(path.join(document.root, folder, file))) report(prose[at].line, `exercise ${number} has no ${folder}/${file}`)
    const patch = path.join(document.root, folder, 'solution.patch')
    if (kind === 'Change' && fs.existsSync(patch)) {
      const added = fs.readFileSync(patch, 'utf8').split('\n').filter(line => /^\+(?!\+\+)/.test(line)).length
      if (added > 10) report(prose[at].line, `the solution of ${number} adds ${added} lines; a change has at most 10`)
    }
  })
}

// Appendix D lists all exercises: ./run check takes their titles from there.
function check_list_of_exercises(document, report) {
  if (document.name !== 'notes/D-answers.md') return
  const table = table_of(document.root)
  for (const number of numbers_in(document.root)) if (!table[number]) report(1, `exercise ${number} is not in the table`)
}

const checks = [check_headings, check_languages, check_length, check_checkpoint, check_exercises, check_list_of_exercises]
const check_structure = (document, report) => checks.forEach(check => check(document, report))

module.exports = { check_structure, template, words }
