/*
 * A websocket line for WeChat mini-programs that comes back by itself.
 *
 *   const { Line } = require('./line.js')
 *   const line = new Line({ url: 'wss://domain.com/wss', onMessage: (data) => console.log(data) })
 *   line.open()
 *   line.send('hello')
 *
 * What it is there for: a mini-program loses its socket a few seconds after the user leaves it, often
 * without any event; it cannot send websocket pings nor see those of the server; and after a restart
 * of the server ten thousand programs must not come back in the same second.
 */

const CLOSED = 'closed' // not wanted, or not opened yet
const CONNECTING = 'connecting'
const OPEN = 'open'
const WAITING = 'waiting' // for the next attempt
const HIDDEN = 'hidden' // in the background, where no network is

const NORMAL = 1000
const ABNORMAL = 1006
const POLICY_VIOLATION = 1008

const DEFAULTS = {
  protocols: [],
  header: {},
  onMessage: () => {},
  onState: () => {},
  connectTimeout: 10000, // milliseconds, as all times here
  heartbeat: 20000, // silence after which a message asks the server for an answer; 0 for never
  patience: 8000, // further silence after which the line is given up
  firstDelay: 1000, // before the first new attempt; doubled for each that fails
  longestDelay: 30000,
  stableAfter: 10000, // after a line that held for this time, the first delay is used again
  queueSize: 100, // messages that wait for the line; more are refused
  ping: 'ping',
  pong: 'pong', // the server's answer, which is not passed on as a message
  finalCodes: [POLICY_VIOLATION], // close codes after which the line does not reconnect
  random: Math.random,
}

class Line {
  /*
   * options: `url`, and any of DEFAULTS.
   * onMessage(data): a string or an ArrayBuffer. onState(state, { code, reason }).
   * api: what has connectSocket and onAppShow; `wx` in a mini-program.
   */
  constructor(options, api) {
    Object.assign(this, DEFAULTS, options)
    if (!/^wss:\/\//.test(this.url || '')) {
      throw new Error(`the url is ${this.url}; mini-programs need wss://`)
    }
    this.api = api || wx
    this.state = CLOSED
    this.attempts = 0
    this.queue = []
    this.task = null
    this.timers = {}
    this.isHidden = false
    this.isListening = false
    this.shown = () => this.onShow()
    this.hidden = () => this.onHide()
    this.networkChanged = ({ isConnected }) => isConnected && this.wakeUp()
  }

  /* Opens the line and keeps it open; while it is wanted already, nothing happens. */
  open() {
    if (this.state !== CLOSED) return
    this.listen(true)
    this.attempts = 0
    this.connect()
  }

  /* True when the message was sent or will be; false when there is no room for it. */
  send(data) {
    if (this.state === OPEN) {
      this.task.send({ data })
      return true
    }
    if (this.state === CLOSED || this.queue.length >= this.queueSize) return false
    this.queue.push(data)
    return true
  }

  /* Ends the line for good; what waits to be sent is dropped. */
  close(code = NORMAL, reason = '') {
    if (this.state === CLOSED) return
    this.listen(false)
    this.drop(code, reason)
    this.queue = []
    this.become(CLOSED, { code, reason })
  }

  connect() {
    // Five sockets at most may be open, so the old one is closed first, in any state.
    this.drop(NORMAL, 'replaced')
    this.become(CONNECTING)
    let task = null
    const failed = ({ errMsg }) => this.lost(task, ABNORMAL, errMsg || 'failed')
    task = this.api.connectSocket({
      url: this.url,
      protocols: this.protocols,
      header: this.header,
      timeout: this.connectTimeout,
      fail: failed,
    })
    this.task = task
    task.onOpen(() => this.opened(task))
    task.onMessage(({ data }) => this.received(task, data))
    task.onClose(({ code, reason }) => this.lost(task, code || ABNORMAL, reason || ''))
    task.onError(failed)
    // It is not certain that onError or onClose is called.
    this.after('connect', this.connectTimeout, () => this.lost(task, ABNORMAL, 'no answer'))
  }

  opened(task) {
    if (task !== this.task) return
    this.stop('connect')
    this.openedAt = Date.now()
    this.become(OPEN)
    const waiting = this.queue
    this.queue = []
    waiting.forEach((data) => this.send(data))
    this.listenForSilence()
  }

  received(task, data) {
    if (task !== this.task) return
    this.listenForSilence()
    if (data !== this.pong) this.onMessage(data)
  }

  listenForSilence() {
    this.stop('patience')
    if (this.heartbeat) this.after('heartbeat', this.heartbeat, () => this.ask())
  }

  /* Asks for a sign of life. */
  ask() {
    const task = this.task
    this.stop('heartbeat')
    task.send({ data: this.ping })
    this.after('patience', this.patience, () => this.lost(task, ABNORMAL, 'silent'))
  }

  lost(task, code, reason) {
    // An event of an older socket does not concern this one.
    if (task !== this.task || this.state === CLOSED) return
    if (this.state === OPEN && Date.now() - this.openedAt >= this.stableAfter) this.attempts = 0
    this.drop(NORMAL, '')
    if (this.finalCodes.includes(code)) {
      this.listen(false)
      this.queue = []
      this.become(CLOSED, { code, reason })
    } else if (this.isHidden) {
      this.become(HIDDEN, { code, reason })
    } else {
      this.become(WAITING, { code, reason })
      this.after('retry', this.delay(), () => this.connect())
    }
  }

  /* Longer each time, and different for everybody. */
  delay() {
    const longest = Math.min(this.longestDelay, this.firstDelay * 2 ** this.attempts)
    this.attempts += 1
    return longest / 2 + (longest / 2) * this.random()
  }

  onHide() {
    this.isHidden = true
    // Timers stop in the background; at the return they would all fire at once.
    Object.keys(this.timers).forEach((name) => this.stop(name))
    if (this.state === WAITING) this.become(HIDDEN)
  }

  onShow() {
    this.isHidden = false
    this.wakeUp()
  }

  /* There is a network again: a line that seems open is asked, any other is opened at once. */
  wakeUp() {
    if (this.state === CLOSED || this.isHidden) return
    if (this.state === OPEN) {
      this.ask()
    } else {
      this.attempts = 0
      this.connect()
    }
  }

  listen(isOn) {
    if (isOn === this.isListening) return
    this.isListening = isOn
    const word = isOn ? 'on' : 'off'
    this.api[`${word}AppShow`](this.shown)
    this.api[`${word}AppHide`](this.hidden)
    this.api[`${word}NetworkStatusChange`](this.networkChanged)
  }

  drop(code, reason) {
    Object.keys(this.timers).forEach((name) => this.stop(name))
    const task = this.task
    this.task = null
    if (task) task.close({ code, reason })
  }

  become(state, why = {}) {
    this.state = state
    this.onState(state, why)
  }

  after(name, delay, action) {
    this.stop(name)
    this.timers[name] = setTimeout(action, delay)
  }

  stop(name) {
    clearTimeout(this.timers[name])
    delete this.timers[name]
  }
}

module.exports = { Line, CLOSED, CONNECTING, OPEN, WAITING, HIDDEN }
