// Chapter 00 installs the tools that the chapters use: its line with apt-get names the package of each.
'use strict'
const fs = require('fs')
const path = require('path')

// By the command's name: the Debian package that has it. Others (bash, grep, kill, ...) are on every machine.
const packages = { node: 'nodejs', curl: 'curl', ss: 'iproute2', strace: 'strace', wrk: 'wrk', perf: 'linux-perf', tcpdump: 'tcpdump', gdb: 'gdb', lsof: 'lsof', nc: 'netcat-openbsd', ab: 'apache2-utils' }

const installed = root => {
  const name = fs.readdirSync(path.join(root, 'notes')).find(file => file.startsWith('00-'))
  const line = name && fs.readFileSync(path.join(root, 'notes', name), 'utf8').match(/^\$ sudo apt-get install (.*)$/m)
  return line ? line[1].split(/\s+/) : []
}

// The commands in a line as one types it: the first word, those behind a pipe and behind sudo.
const commands = line => line.split(/[|;&]+/).map(part => part.trim().replace(/^sudo /, '').split(/\s/)[0])

function check_tools(document, report) {
  if (!/(^|\/)(\d\d|[A-Z])-[^/]*\.md$/.test(document.name)) return
  const there = installed(document.root)
  const typed = [
    ...document.blocks.filter(({ language }) => language === 'console').flatMap(({ line, lines }) =>
      lines.filter(text => text.startsWith('$ ')).map(text => ({ line, text: text.slice(2) }))),
    ...document.prose.flatMap(({ line, text }) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => ({ line, text: code })))
  ]
  for (const { line, text } of typed)
    for (const command of commands(text))
      if (Object.hasOwn(packages, command) && !there.includes(packages[command]))
        report(line, `${command}: chapter 00 does not install ${packages[command]}`)
}

module.exports = { check_tools }
