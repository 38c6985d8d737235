// Markdown as far as the checks need it: headings, code blocks, and the prose around them.
'use strict'
const fs = require('fs')
const path = require('path')

// The parts of a code block's info string after the language: `file=a.cpp run` is {file: 'a.cpp', run: true}.
function options(words) {
  return Object.fromEntries(words.map(word => {
    const at = word.indexOf('=')
    return at < 0 ? [word, true] : [word.slice(0, at), word.slice(at + 1)]
  }))
}

// GitHub's anchor for a heading; `taken` counts those that the document has already.
function anchor(text, taken) {
  const base = text.toLowerCase().replace(/`|\[([^\]]*)\]\([^)]*\)/g, (_, label) => label ?? '')
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replace(/ /g, '-')
  const times = taken.get(base) ?? 0
  taken.set(base, times + 1)
  return times ? `${base}-${times}` : base
}

class Document {
  // `name` is the path from the top folder `root`. Line numbers are those an editor shows.
  constructor(root, name, text = fs.readFileSync(path.join(root, name), 'utf8')) {
    Object.assign(this, { root, name, lines: text.split('\n'), headings: [], blocks: [], prose: [], anchors: new Set() })
    const taken = new Map()
    let block = null
    this.lines.forEach((line, i) => {
      const fence = line.match(/^( {0,3})(`{3,})\s*(.*)$/)
      if (block) {
        if (fence && fence[2].length >= block.fence.length && !fence[3]) block = null
        else block.lines.push(line.startsWith(block.indent) ? line.slice(block.indent.length) : line)
      } else if (fence) {
        const [language = '', ...words] = fence[3].split(/\s+/)
        block = { indent: fence[1], fence: fence[2], language, words, options: options(words), line: i + 1, lines: [], section: this.headings.length }
        this.blocks.push(block)
      } else {
        const heading = line.match(/^(#{1,6}) +(.*?) *#*$/)
        if (heading) {
          this.headings.push({ level: heading[1].length, text: heading[2], line: i + 1, anchor: anchor(heading[2], taken) })
          this.anchors.add(this.headings.at(-1).anchor)
        }
        for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) this.anchors.add(id)
        this.prose.push({ line: i + 1, text: line, section: this.headings.length })
      }
    })
    if (block) this.unclosed = block.line
  }

  // The ## heading above a line, '' before the first.
  part(line) {
    return this.headings.filter(heading => heading.level === 2 && heading.line <= line).at(-1)?.text ?? ''
  }

  // The text with some lines of prose replaced, and the content of some blocks: [{line, text}, {block, lines}].
  rewritten(replacements) {
    const lines = [...this.lines]
    for (const { line, text } of replacements) if (line) lines[line - 1] = text
    const blocks = replacements.filter(({ block }) => block)
    for (const { block, lines: content } of blocks.sort((a, b) => b.block.line - a.block.line))
      lines.splice(block.line, block.lines.length, ...content.map(line => line && block.indent + line))
    return lines.join('\n')
  }
}

module.exports = { Document }
