// What the acceptance tests of chapter 12's exercises are written with: as tests/notes/exercise.js, but each in a network namespace of its
// own, with both hosts. As root.
'use strict'
const { spawnSync } = require('child_process')
const fs = require('fs')
const { answer, same } = require('../notes/exercise.js')
const { TwoHosts } = require('./two_hosts.js')

const namespace_of = pid => fs.readlinkSync(`/proc/${pid}/ns/net`)

// Runs the story of one test, and says "pass", or what differs. Both hosts and the proxy are ended by then.
async function exercise(story) {
  if (namespace_of('self') === namespace_of(process.ppid)) {
    const again = spawnSync('unshare', ['--net', process.execPath, ...process.argv.slice(1)], { encoding: 'utf8' })
    const refused = again.stderr.match(/^unshare: .*/)
    console.log(refused ? `two hosts need network namespaces, and root to make them: ${refused[0]}` : (again.stdout + again.stderr).trimEnd())
    process.exitCode = again.status ?? 1
    return
  }
  const two = new TwoHosts()
  let wrong
  try {
    await story({ two, answer, same })
  } catch (error) {
    wrong = error
  }
  await two.end()
  console.log(wrong === undefined ? 'pass' : typeof wrong === 'string' ? wrong : wrong.message)
  process.exitCode = wrong === undefined ? 0 : 1
}

module.exports = { exercise }
