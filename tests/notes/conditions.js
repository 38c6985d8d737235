#!/usr/bin/env node
// node tests/notes/conditions.js [FILE...]    nothing in our C++ awaits what g++ 12 destroys twice
//
// It destroys the value twice when a coroutine awaits it in the condition of `if`, `while`, `for`, `do` or `switch` and
// has no local variable of its own. A name makes it right: while (auto message = co_await channel.receive()).
//
// And so it does with a closure that has captured something by value, when it is made within what is awaited: it gets a name of
// its own before. (An aggregate in braces, too; which types are aggregates, nobody sees here.)
// Without a FILE: all C++ of the project, the lines that a solution adds, and what the notes show. Exit code 1: found some.
'use strict'
const fs = require('fs')
const path = require('path')

const top = path.join(__dirname, '../..')

// The text with comments, strings and characters blanked out; every line break and column stays.
const code_only = text => text.replace(
  /\/\/.*|\/\*[^]*?\*\/|\bR"([^()\\\s]*)\([^]*?\)\1"|"(?:\\[^]|[^"\\\n])*"|(?<![\w])'(?:\\[^]|[^'\\\n])+'/g,
  found => found.replace(/[^\n]/g, ' '))

// What stands between the parenthesis at `open` and its partner, cut at the semicolons that are in no other bracket.
function parts_within(text, open) {
  const parts = ['']
  let depth = 0
  for (let i = open; i < text.length; i++) {
    const letter = text[i]
    if ('([{'.includes(letter) && depth++ === 0) continue
    if (')]}'.includes(letter) && --depth === 0) return parts
    if (letter === ';' && depth === 1) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts
}

// `auto message = ...`, `const std::optional<message> next{...}`; not `co_await next{...}`.
const is_declaration = condition => {
  const [beginning] = condition.match(/^\s*(?:[\w:<>,*&]+\s+)*[\w:<>,*&]+[\s*&]+\w+\s*(?:=(?!=)|\{)/) ?? []
  return beginning !== undefined && !/\b(?:co_await|not|new)\b/.test(beginning)
}
const awaits = condition => /\bco_await\b/.test(condition)

// The numbers of the lines on which such a condition begins.
function bare_conditions(text) {
  const code = code_only(text)
  return [...code.matchAll(/\b(if|while|for|switch)\s*(?:constexpr\s*)?\(/g)].flatMap(found => {
    const parts = parts_within(code, found.index + found[0].length - 1)
    const condition = found[1] !== 'for' ? parts.at(-1) : parts.length === 3 ? parts[1] : ''
    return awaits(condition) && !is_declaration(condition) ? [code.slice(0, found.index).split('\n').length] : []
  })
}

// From `begin` to the semicolon that is in no bracket opened since.
function statement_at(code, begin) {
  let depth = 0
  for (let i = begin; i < code.length; i++) {
    if ('([{'.includes(code[i])) depth++
    if (')]}'.includes(code[i]) && --depth < 0) return code.slice(begin, i)
    if (code[i] === ';' && depth === 0) return code.slice(begin, i)
  }
  return code.slice(begin)
}

// `[x]`, `[=]`, `[x = f()]`; not `[]`, `[&]`, `[this, &x]`.
const owns_something = captures => captures.split(',').some(capture => !/^\s*(?:&[\w\s]*|this|)\s*$/.test(capture))

// The numbers of the lines on which a closure begins that owns something and is made within what is awaited.
function awaited_closures(text) {
  const code = code_only(text)
  const lines = [...code.matchAll(/\bco_await\b/g)].flatMap(awaited => {
    const statement = statement_at(code, awaited.index)
    return [...statement.matchAll(/(?<![\w)\]]\s*)\[([^\[\]]*)\]\s*(?:\(|\{|mutable\b)/g)].filter(closure => owns_something(closure[1]))
      .map(closure => code.slice(0, awaited.index + closure.index).split('\n').length)
  })
  return [...new Set(lines)]
}

// The C++ in a file; all other lines are empty, so that the numbers of lines stay.
function cpp_of(name, text) {
  let inside = false
  if (name.endsWith('.patch')) return text.replace(/^(?:\+\+\+.*|[^+\n].*)$|^\+/gm, '')
  if (!name.endsWith('.md')) return text
  return text.split('\n').map(line => {
    const fence = line.match(/^ *```+ *(\w*)/)
    if (fence) inside = fence[1] === 'cpp'
    return inside && !fence ? line : ''
  }).join('\n')
}

const files_below = folder => fs.readdirSync(path.join(top, folder), { withFileTypes: true }).flatMap(entry => {
  const name = path.join(folder, entry.name)
  if (entry.isDirectory()) return ['broken', 'node_modules'].includes(entry.name) ? [] : files_below(name)
  return /\.(?:[ch]pp|h|cc|md|patch)$/.test(name) ? [name] : []
})

if (require.main === module) {
  const names = process.argv.length > 2 ? process.argv.slice(2).map(name => path.relative(top, path.resolve(name)))
    : ['common', 'demos', 'clients', 'tests', 'notes'].flatMap(files_below)
  const found = names.flatMap(name => {
    const text = cpp_of(name, fs.readFileSync(path.join(top, name), 'utf8'))
    return [
      ...bare_conditions(text).map(line => `${name}:${line}: a bare co_await as condition, which g++ 12 miscompiles; name it: (auto message = co_await ...)`),
      ...awaited_closures(text).map(line => `${name}:${line}: a closure that owns something, made within what is awaited: g++ 12 destroys it twice; name it before`)]
  })
  for (const mistake of found) console.log(mistake)
  console.log(`${names.length} files: ${found.length} awaited with a mistake of g++ 12`)
  process.exitCode = found.length || !names.length ? 1 : 0
}

module.exports = { awaited_closures, bare_conditions, cpp_of }
