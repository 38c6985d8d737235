// A measured number in the prose is followed by <!-- = FILE PATH [*N|/N] -->, which says where in notes/data/ it is.
'use strict'
const fs = require('fs')
const path = require('path')

const number = /\d+(?:,\d{3})*(?:\.\d+)?/g

// The value at a path like `ways[name=shared].connections[0]`, or the whole list for `ways[name=shared].connections[]`. An element
// may be named by its place or by what it has: `[name=keep_alive,workers=2]`.
function lookup(data, where) {
  return (where.match(/[^.[\]]+/g) ?? []).reduce((value, key) => {
    const wanted = key.split(',').map(condition => condition.split('='))
    const found = wanted[0].length === 2 && Array.isArray(value)
      ? value.find(element => wanted.every(([name, one]) => String(element[name]) === one))
      : value?.[key]
    if (found === undefined) throw new Error(`there is no ${key} in ${where}`)
    return found
  }, data)
}

// Does the text say this value, as exactly as its digits go?
function agrees(text, value) {
  const decimals = text.split('.')[1]?.length ?? 0
  return Math.abs(Number(text.replace(/,/g, '')) - value) <= 0.5000001 * 10 ** -decimals
}

// What the comment of a claim refers to: the value, or the values, in the unit of the text.
function measured({ file, where, scale }, root) {
  const value = lookup(JSON.parse(fs.readFileSync(path.join(root, 'notes/data', file), 'utf8')), where)
  if (typeof value === 'string') return value
  const values = [value].flat()
  if (!values.length || values.some(one => typeof one !== 'number')) throw new Error(`${where} is not a number`)
  const factor = !scale ? 1 : scale[0] === '*' ? Number(scale.slice(1)) : 1 / Number(scale.slice(1))
  return values.map(one => one * factor)
}

// The numbers of the text right before a claim, where they stand in it; other claims' comments are not text.
function numbers_before(text, count) {
  const blank = text.replace(/<!--.*?-->/g, comment => ' '.repeat(comment.length))
  return [...blank.matchAll(number)].slice(-count)
}

function check_claim(text, value) {
  if (typeof value === 'string') {
    if (!text.trimEnd().endsWith(value)) throw new Error(`the text does not say "${value}"`)
    return
  }
  const said = numbers_before(text, value.length).map(String)
  value.forEach((one, i) => {
    if (said[i] === undefined || !agrees(said[i], one)) throw new Error(`the text says ${said[i] ?? 'nothing'}, the data ${one}`)
  })
}

// The text with these numbers before its end, each written like the one in whose place it comes.
function corrected(text, values) {
  const said = numbers_before(text, values.length)
  if (said.length < values.length) return text // some of them stand on the line above
  return said.reduceRight((result, { index, 0: was }, i) => {
    const decimals = was.split('.')[1]?.length ?? 0
    const is = was.includes(',') ? values[i].toLocaleString('en', { maximumFractionDigits: decimals }) : values[i].toFixed(decimals)
    return result.slice(0, index) + is + result.slice(index + was.length)
  }, text)
}

function check_numbers(document, report) {
  document.prose.forEach(({ line, text }, i) => {
    const above = document.prose[i - 1]?.line === line - 1 ? document.prose[i - 1].text + ' ' : ''
    let rewritten = text
    const wrong = []
    for (const found of text.matchAll(/<!--\s*=\s*(.*?)\s*-->/g)) {
      const [, file, where, scale] = found[1].match(/^(\S+\.json)\s+(\S+)(?:\s+([*/][\d.]+))?$/) ?? []
      if (!file) { report(line, `not FILE PATH [*N|/N]: ${found[1]}`); continue }
      try {
        const value = measured({ file, where, scale }, document.root)
        const before = rewritten.slice(0, rewritten.indexOf(found[0]))
        try {
          check_claim(above + text.slice(0, found.index), value)
        } catch (error) {
          wrong.push(`notes/data/${file} ${where}: ${error.message}`)
          if (Array.isArray(value)) rewritten = corrected(before, value) + rewritten.slice(before.length)
        }
      } catch (error) {
        report(line, `notes/data/${file} ${where}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`)
      }
    }
    for (const message of wrong) report(line, message, rewritten !== text ? { line, text: rewritten } : undefined)
  })
}

// Every file of measurements says where and when.
function check_data(root, report) {
  const folder = path.join(root, 'notes/data')
  for (const file of fs.existsSync(folder) ? fs.readdirSync(folder).filter(name => name.endsWith('.json')) : []) {
    const data = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'))
    for (const key of ['kernel', 'cores', 'date'])
      if (!(key in data)) report(`notes/data/${file} does not say its ${key}`)
  }
}

module.exports = { check_numbers, check_data }
