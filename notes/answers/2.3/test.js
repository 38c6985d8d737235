// build: pass_file
const fs = require('fs')
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run }) => {
  const program = await run('build/demos/pass_file')
  same(program.lines, [fs.readFileSync('LICENSE', 'utf8').split('\n')[0]], 'what it prints')
  same(program.exit, 0, 'the exit code')
  if (!/send_bytes\(/.test(fs.readFileSync('demos/pass_file/main.cpp', 'utf8')))
    throw 'the descriptor should travel with ipc::send_bytes'
})
