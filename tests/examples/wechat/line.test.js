/* The mini-program's line against a real worker. The worker obeys what begins with "please". */

const assert = require('node:assert')
const { once, EventEmitter } = require('node:events')
const path = require('node:path')
const { afterEach, test } = require('node:test')

const { Phone } = require('./wx.js')
const { Line } = require(path.join(process.env.EXAMPLE, 'line.js'))

const DEADLINE = 20000
let running = []

afterEach(() => {
  running.forEach((line) => line.close())
  running = []
})

/* A line, its phone, and events that can be waited for. */
function start(options = {}) {
  const phone = new Phone()
  const heard = new EventEmitter()
  const states = []
  const messages = []
  const line = new Line({
    url: process.env.WSS_URL,
    firstDelay: 1,
    longestDelay: 50,
    onState: (state, why) => { states.push([state, why.code]); heard.emit(state, why) },
    onMessage: (data) => { messages.push(data); heard.emit('message', data) },
    ...options,
  }, phone)
  running.push(line)
  const until = (name) => once(heard, name, { signal: AbortSignal.timeout(DEADLINE) })
  return { line, phone, states, messages, until }
}

async function opened(options) {
  const all = start(options)
  const isOpen = all.until('open')
  all.line.open()
  await isOpen
  return all
}

test('it opens, and what is sent before waits', async () => {
  const { line, until, messages } = start()
  assert.strictEqual(line.send('too early'), false)
  const message = until('message')
  line.open()
  assert.strictEqual(line.send('hello'), true)
  await message
  assert.deepStrictEqual(messages, ['hello'])
})

test('a url that no mini-program may open is refused', () => {
  assert.throws(() => new Line({ url: 'ws://domain.com' }, new Phone()), /wss/)
})

test('the queue has an end', () => {
  const { line } = start({ queueSize: 2 })
  line.open()
  assert.deepStrictEqual([line.send('1'), line.send('2'), line.send('3')], [true, true, false])
})

test('it comes back after the server closes, and after it vanishes', async () => {
  const { line, until, states } = await opened()
  for (const [words, code] of [['please close 1012', 1012], ['please vanish', 1006]]) {
    const isOpen = until('open')
    line.send(words)
    await isOpen
    assert.ok(states.some(([state, seen]) => state === 'waiting' && seen === code), words)
  }
})

test('it does not come back after 1008', async () => {
  const { line, phone, until } = await opened()
  const isClosed = until('closed')
  line.send('please close 1008')
  const [{ code }] = await isClosed
  assert.strictEqual(code, 1008)
  assert.strictEqual(phone.tasks.length, 1)
  assert.strictEqual(phone.handlers.AppShow.size, 0)
})

test('a silent line is noticed by the heartbeat, and replaced', async () => {
  const { line, phone, until, states, messages } = await opened({ heartbeat: 20, patience: 5000 })
  const beat = new Promise((resolve) => {
    const { received } = line
    line.received = (task, data) => { received.call(line, task, data); if (data === 'pong') resolve() }
  })
  await beat
  assert.deepStrictEqual(messages, [])
  assert.strictEqual(line.state, 'open')
  line.patience = 100
  const isOpen = until('open')
  phone.tasks[0].isDeaf = true
  await isOpen
  assert.ok(states.some(([state, code]) => state === 'waiting' && code === 1006))
  assert.strictEqual(phone.tasks.length, 2)
})

test('a socket that never opens is given up', async () => {
  const { line, phone, until } = start({ connectTimeout: 100 })
  const { connectSocket } = phone
  phone.connectSocket = (options) => {
    const task = connectSocket.call(phone, options)
    task.isDeaf = phone.tasks.length === 1
    return task
  }
  const isWaiting = until('waiting')
  line.open()
  const [{ reason }] = await isWaiting
  assert.strictEqual(reason, 'no answer')
})

test('in the background it waits, and at the return it is there at once', async () => {
  const { line, phone, until } = await opened({ firstDelay: 3600000, longestDelay: 3600000 })
  phone.tell('AppHide')
  const isHidden = until('hidden')
  phone.tasks[0].socket.destroy() // as WeChat does after some seconds
  await isHidden
  assert.deepStrictEqual(line.timers, {})
  phone.tell('NetworkStatusChange', { isConnected: true })
  assert.strictEqual(line.state, 'hidden')
  const isOpen = until('open')
  phone.tell('AppShow')
  await isOpen
  assert.strictEqual(phone.tasks.length, 2)
})

test('a line that died without an event is found out at the return', async () => {
  const { line, phone, until } = await opened({ patience: 100 })
  phone.tell('AppHide')
  phone.tasks[0].isDeaf = true
  phone.tasks[0].socket.destroy()
  assert.strictEqual(line.state, 'open')
  const isOpen = until('open')
  phone.tell('AppShow')
  await isOpen
  assert.strictEqual(phone.tasks.length, 2)
})

test('a network that comes back ends the waiting', async () => {
  const { line, phone, until } = await opened({ firstDelay: 3600000, longestDelay: 3600000 })
  const isWaiting = until('waiting')
  line.send('please vanish')
  await isWaiting
  const isOpen = until('open')
  phone.tell('NetworkStatusChange', { isConnected: true })
  await isOpen
})

test('a late event of an older socket disturbs nobody', async () => {
  const { line, phone, until } = await opened()
  const { close, error, message, open } = phone.tasks[0].handlers
  const isOpen = until('open')
  line.send('please vanish')
  await isOpen
  close({ code: 1008, reason: '' })
  error({ errMsg: 'interrupted' })
  open({})
  message({ data: 'old' })
  assert.strictEqual(line.state, 'open')
  assert.strictEqual(phone.tasks.length, 2)
})

test('closed is closed', async () => {
  const { line, phone } = await opened()
  // Not `once` of events: that fails at a reset, which is what a client gets that ends TLS unasked.
  const over = new Promise((resolve) => phone.tasks[0].socket.on('close', resolve))
  line.close()
  await over
  assert.strictEqual(line.state, 'closed')
  assert.strictEqual(phone.openSockets, 0)
  assert.deepStrictEqual(line.timers, {})
  assert.strictEqual(line.send('x'), false)
  phone.tell('AppShow')
  assert.strictEqual(phone.tasks.length, 1)
})

test('delays grow to an end, and differ', () => {
  const { line } = start({ firstDelay: 1000, longestDelay: 30000, random: () => 0 })
  assert.deepStrictEqual(Array.from({ length: 7 }, () => line.delay()),
    [500, 1000, 2000, 4000, 8000, 15000, 15000])
  line.random = () => 0.5
  assert.strictEqual(line.delay(), 22500)
})
