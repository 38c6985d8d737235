// Is any file of common/ so long that it can hardly be about one thing?
//
//     node tests/sources/lengths.js [FOLDER]     exit code 1, and a line for each that is
'use strict'
const fs = require('fs')
const path = require('path')
const { files_below } = require('./includes.js')

const most = 450
const may_be_longer = ['common/http/parser.cpp'] // what a message may look like, in one place

const root = process.argv[2] ?? path.join(__dirname, '../..')
for (const file of files_below(path.join(root, 'common'))) {
  const name = path.relative(root, file)
  const lines = fs.readFileSync(file, 'utf8').split('\n').length - 1
  if (lines > most && !may_be_longer.includes(name)) {
    console.error(`${name}: ${lines} lines, more than ${most}; which part of it is a thing of its own?`)
    process.exitCode = 1
  }
}
